"""Who has signed an image, and whether that is somebody who is trusted to.

1. ``rules.py``: what a configuration demands; ``reading.py`` reads it, ``sources.py`` says which images a rule is for.
2. ``signatures.py``: what is attached to a digest and may be a signature. Nothing in it is believed.
3. ``keys.py`` (by cryptography) and ``keyless.py`` (by sigstore) say whether a signature is good, and whose it is.
4. ``statements.py``: what was signed, and whether it is about this digest.
5. ``judge.py``: whether all this is what the rule demands.

Notation is not supported: its signatures count as none.
"""
