"""Where registries differ: one row a kind, the same for a real registry and for its double.

What is not in this table is expected of all of them alike.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Expected:
    """What one kind of registry answers; pairs are status and error code."""

    delete_tag: tuple[int, str] = (202, "")
    delete_in_unknown_repository: tuple[int, str] = (404, "NAME_UNKNOWN")
    tags_go_with_digest: bool = True
    unknown_repository: tuple[int, str] = (404, "NAME_UNKNOWN")
    needs_accept: bool = False
    open_ranges: bool = True
    says_416: bool = True
    """Ends a 416 properly; distribution 2.8 announces a body and closes."""
    pages_tags: bool = True
    links_pages: bool = True
    no_tags: object = ()
    referrers: bool = True
    missing_blob: tuple[int, str] = (400, "MANIFEST_BLOB_UNKNOWN")
    missing_child: tuple[int, str] = (400, "MANIFEST_BLOB_UNKNOWN")
    validates_manifests: bool = True
    mounts: bool = True
    shares_blobs: bool = False
    monolithic_post: bool = True
    out_of_order: tuple[int, str] = (416, "BLOB_UPLOAD_INVALID")
    stale_location: tuple[int, str] = (202, "")
    sessions_can_be_asked: bool = True
    names_location: bool = True


OCI = Expected(no_tags=[])

DISTRIBUTION_3 = Expected(
    delete_in_unknown_repository=(404, "MANIFEST_UNKNOWN"),
    unknown_repository=(404, "MANIFEST_UNKNOWN"),
    needs_accept=True,
    no_tags=None,
    referrers=False,
    monolithic_post=False,
    out_of_order=(416, "RANGE_INVALID"),
    stale_location=(416, "RANGE_INVALID"),
)

DISTRIBUTION_2_8 = Expected(
    delete_tag=(400, "DIGEST_INVALID"),
    delete_in_unknown_repository=(404, "MANIFEST_UNKNOWN"),
    unknown_repository=(404, "MANIFEST_UNKNOWN"),
    needs_accept=True,
    says_416=False,
    pages_tags=False,
    links_pages=False,
    no_tags=None,
    referrers=False,
    monolithic_post=False,
    out_of_order=(202, ""),
    stale_location=(404, "BLOB_UPLOAD_INVALID"),
)

GGCR = Expected(
    tags_go_with_digest=False,
    open_ranges=False,
    links_pages=False,
    referrers=False,
    missing_blob=(201, ""),
    missing_child=(404, "MANIFEST_UNKNOWN"),
    validates_manifests=False,
    mounts=False,
    shares_blobs=True,
    out_of_order=(416, "BLOB_UPLOAD_UNKNOWN"),
    sessions_can_be_asked=False,
    names_location=False,
)

# The embedded registry by manner, and the real registries by fixture.
EMBEDDED = {"oci-1.1": OCI, "distribution-2.8": DISTRIBUTION_2_8, "distribution-3": DISTRIBUTION_3, "ggcr": GGCR}
REAL = {"docker_registry": DISTRIBUTION_2_8, "distribution_v3": DISTRIBUTION_3, "crane_registry": GGCR}
