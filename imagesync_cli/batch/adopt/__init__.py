"""What other tools' files say of images, as entries of ours, with a word on what cannot be carried over.

Each kind of file has a module: known by its shape, not by its name. Nothing is asked of a registry.
"""

from __future__ import annotations

from imagesync_cli.batch.adopt.adopted import Adopted, Images
from imagesync_cli.batch.adopt.reading import adopt

__all__ = ["Adopted", "Images", "adopt"]
