"""What of an image is wanted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from imagesync_cli.values.platforms import Platform


@dataclass(frozen=True)
class Selection:
    """What is copied, resolved or compared; by default the image whole, as its source has it.

    ``digest`` is the image's digest wherever its tag points by now, "" for what the reference names.
    ``platforms`` are those wanted, none for all.
    ``referrers`` says that whatever is attached to the image, such as its signatures, belongs to it.
    ``foreign_layers`` says that layers which live at URLs of their own are copied as well.
    """

    digest: str = ""
    platforms: tuple[Platform, ...] = ()
    referrers: bool = False
    foreign_layers: bool = False


WHOLE = Selection()
