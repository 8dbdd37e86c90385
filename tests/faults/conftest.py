"""The copies of tests/wire are used here as well."""

from __future__ import annotations

from tests.stores.conftest import copying

__all__ = ["copying"]
