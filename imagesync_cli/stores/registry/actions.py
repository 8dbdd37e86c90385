"""What a request to a registry is for: hosts count, and limit, each kind by itself (values/hosts.py)."""

from __future__ import annotations

import re

_KIND = re.compile(r"/(?:blobs/(?P<uploads>uploads)/.*|(?P<kind>manifests|blobs|referrers|tags)/[^/]+)$")
PULL = "GET manifests"


def action_of(method: str, path: str, *, is_upload: bool = False) -> str:
    """Such as "GET manifests" or "PUT uploads"; "" for what belongs to no image, such as a ping."""
    named = _KIND.search(path)
    kind = "uploads" if is_upload else (named["uploads"] or named["kind"]) if named else ""
    return f"{method} {kind}" if kind else ""
