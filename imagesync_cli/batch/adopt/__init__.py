"""What other tools' files say of images, as entries of ours, with a word on what cannot be carried over.

Each kind of file has a module: known by its shape, not by its name. Nothing is asked of a registry.
"""

from __future__ import annotations

from imagesync_cli.batch.adopt.adopted import Adopted
from imagesync_cli.batch.adopt.reading import adopt
from imagesync_cli.batch.adopt.writing import as_images, as_modules

__all__ = ["Adopted", "adopt", "as_images", "as_modules"]
