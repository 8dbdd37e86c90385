"""What resolve says of each reference."""

from __future__ import annotations

from typing import Any

from imagesync_cli.look.resolve import Resolved
from imagesync_cli.values.errors import ImagesyncError


def resolved_json(result: Resolved | ImagesyncError) -> dict[str, Any]:
    if isinstance(result, ImagesyncError):
        return {"error": str(result), "kind": result.kind}
    found = result.descriptor
    return {
        "reference": str(result.reference),
        "id": result.id,
        "digest": found.digest,
        "source_digest": result.source_digest,
        "media_type": found.media_type,
        "size": found.size,
    }
