"""Mirror container images between registries and OCI layouts; the command is ``imagesync``."""

__version__ = "0.1.0"
