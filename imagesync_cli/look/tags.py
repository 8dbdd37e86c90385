"""Which tags a repository has."""

from __future__ import annotations

from imagesync_cli.stores import Access, Side, Stores
from imagesync_cli.values.digest import is_digest
from imagesync_cli.values.errors import ImagesyncError
from imagesync_cli.values.reference import Reference


async def list_tags(stores: Stores, reference: Reference, side: Side = Side.SOURCE) -> list[str] | ImagesyncError:
    """Every tag of the repository or folder, none where there is no such destination yet; or why that is not known.

    A source that does not exist has no tags either, as registries tell it.
    """
    try:
        names = await stores.open(reference, Access.READ, side).tags()
    except ImagesyncError as error:
        return error
    return [name for name in names if not is_digest(name)]  # a folder lists images without a tag by digest
