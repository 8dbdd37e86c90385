"""What an image is made of, for who only wants to know: ``platforms``, each with its image's digest, and ``bytes``."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from imagesync_cli.concurrency import within
from imagesync_cli.look.describe import describe
from imagesync_cli.values.errors import ContentError, ImagesyncError, Unavailable

if TYPE_CHECKING:
    from imagesync_cli.stores import Stores
    from imagesync_cli.values.reference import Reference

NOTHING: dict[str, Any] = {"platforms": {}, "bytes": 0}


async def described_parts(stores: Stores, reference: Reference, digest: str, ends: float) -> dict[str, Any]:
    """The members of the answer about the image that has this digest; ``error`` and ``kind`` where it cannot be read.

    ``bytes`` are those of all layers, each once.
    """
    late = Unavailable(f"reading {reference}: no end within the time that is left", hint="see IMAGESYNC_TIMEOUT")
    reading = describe(stores, reference.at(digest=digest), whole=False)
    try:
        description = await within(ends - time.monotonic(), reading, late)
        if description.left_out:
            raise ContentError(f"{reference} has more parts than can be told")
    except ImagesyncError as error:
        return NOTHING | {"error": str(error), "kind": error.kind}
    platforms = {image.platform: image.digest for image in reversed(description.images) if image.platform}
    return {"platforms": dict(sorted(platforms.items())), "bytes": description.size}
