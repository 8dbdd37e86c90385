"""The libraries that verify, which are an extra: most runs need none of them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from importlib.util import find_spec

from imagesync_cli.values.errors import UsageError


@contextlib.contextmanager
def importing(library: str) -> Iterator[None]:
    """UsageError that says what to install, where the block imports what is not there, or of a version without it."""
    try:
        yield
    except ImportError as error:
        raise UsageError(
            f"trust needs the Python package {library}{'' if error.name == library else f': {error}'}",
            hint="pip install 'imagesync-cli[sigstore]'; imagesync.pyz, the one file, cannot have it",
        ) from error


def check_installed(library: str) -> None:
    """The same without importing it."""
    with importing(library):
        if find_spec(library) is None:
            raise ModuleNotFoundError(name=library)
