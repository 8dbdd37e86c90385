"""The libraries that verify, which are an extra: most runs need none of them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from importlib.util import find_spec

from imagesync_cli.values.errors import UsageError


@contextlib.contextmanager
def importing(library: str) -> Iterator[None]:
    """UsageError that says what to install, where the block imports what is not there."""
    try:
        yield
    except ImportError as error:
        raise _missing(library, "" if error.name == library else f": {error}") from error


def check_installed(library: str) -> None:
    """The same without importing it."""
    if find_spec(library) is None:
        raise _missing(library)


def _missing(library: str, why: str = "") -> UsageError:
    """Without a reason it is not there, with one it is of a version that does not fit."""
    return UsageError(
        f"trust needs the Python package {library}{why}",
        hint="pip install 'imagesync-cli[sigstore]'; imagesync.pyz, the one file, cannot have it",
    )
