"""What other tools' files say of images, as entries of ours, with a word on what cannot be carried over.

Each kind of file is known by its shape, not by its name. Nothing is asked of a registry.
"""
