"""``python -m imagesync_cli`` and the command ``imagesync``."""

from __future__ import annotations

from imagesync_cli.cli import main

if __name__ == "__main__":
    main()
