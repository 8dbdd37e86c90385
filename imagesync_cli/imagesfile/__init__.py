"""Files that say which images are to be where: read, checked whole, and turned into entries.

document.py knows YAML and JSON, entries.py what may stand in such a file, images.schema.json tells the same to editors.
"""

from __future__ import annotations

from imagesync_cli.imagesfile.entries import read_entries

__all__ = ["read_entries"]
