"""What imagesync costs next to its peers, measured in one go on one machine.

    python -m benchmarks --help

It talks to loopback only, to registries that it starts itself.
"""
