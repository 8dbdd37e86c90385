"""Where images are: each repository, folder or file as one value, however it is spelled.

In doubt, two names of hosts mean one registry: then nothing there is taken for somebody else's, and an image stays.
"""

from __future__ import annotations

import os

from imagesync_cli.values.hosts import one_spelling
from imagesync_cli.values.reference import Reference, RegistryReference


def place_of(reference: Reference) -> tuple[str, str]:
    """Equal for references into the same repository; ``localhost`` and ``127.0.0.1`` are one registry.

    So are folders and files of two names, where one is a link to the other.
    """
    where, path = reference.location
    if isinstance(reference, RegistryReference):
        return one_spelling(where), path
    return where, os.path.realpath(path)


def tag_of(reference: Reference) -> tuple[str, str, str]:
    """Equal for references that may mean one tag."""
    return *place_of(reference), reference.tag


def repository_of(reference: Reference) -> str:
    """The place as one text."""
    return ("/" if isinstance(reference, RegistryReference) else ":").join(place_of(reference))
