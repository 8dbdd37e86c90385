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
    deletes_later: bool = False
    """A DELETE is taken on with 202 and done by a task; with a manifest go its blobs, with an index its children."""
    guards_children: bool = False
    comes_back: int = 201
    """The status of a PUT of a manifest that was deleted."""
    tags_go_with_digest: bool = True
    unknown_repository: tuple[int, str] = (404, "NAME_UNKNOWN")
    needs_accept: bool = False
    ping: tuple[int, str] = (200, "")
    """The answer to a ping whose Accept names manifests alone."""
    redirects_blobs: bool = False
    open_ranges: bool = True
    says_416: bool = True
    """Ends a 416 properly; distribution 2.8 announces a body and closes."""
    pages_tags: bool = True
    links_pages: bool = True
    no_tags: object = ()
    referrers: bool = True
    missing_blob: tuple[int, str] = (400, "MANIFEST_BLOB_UNKNOWN")
    names_missing: bool = True
    missing_child: tuple[int, str] = (400, "MANIFEST_BLOB_UNKNOWN")
    not_a_manifest: tuple[tuple[int, str], ...] = (
        (400, "MANIFEST_INVALID"),
        (400, "MANIFEST_INVALID"),
        (400, "DIGEST_INVALID"),
    )
    """Bytes that are no JSON, another type than announced, another digest than asked."""
    checks_blobs: bool = True
    no_digest: tuple[int, str] = (400, "DIGEST_INVALID")
    mounts: bool = True
    cannot_mount: tuple[tuple[int, str], ...] = ((202, ""), (202, ""), (202, ""))
    """From the repository itself what is not there, from one that is not there, and from nowhere."""
    shares_blobs: bool = False
    monolithic_post: bool = True
    out_of_order: tuple[int, str] = (416, "BLOB_UPLOAD_INVALID")
    stale_location: tuple[int, str] = (202, "")
    unknown_session: tuple[int, str] = (404, "BLOB_UPLOAD_UNKNOWN")
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
    not_a_manifest=((201, ""),) * 3,
    mounts=False,
    shares_blobs=True,
    out_of_order=(416, "BLOB_UPLOAD_UNKNOWN"),
    sessions_can_be_asked=False,
    names_location=False,
)

# Pulp 3.123.1 with pulp-container 2.30.0. It believes the digest of a blob that comes in one PUT, and of a manifest.
PULP = Expected(
    delete_tag=(400, "INVALID_REQUEST"),
    deletes_later=True,
    guards_children=True,
    comes_back=400,
    ping=(406, "UNSUPPORTED"),
    redirects_blobs=True,
    no_tags=[],
    referrers=False,
    missing_blob=(400, "BLOB_UNKNOWN"),
    names_missing=False,
    missing_child=(201, ""),
    not_a_manifest=((500, ""), (201, ""), (201, "")),
    checks_blobs=False,
    no_digest=(500, ""),
    cannot_mount=((404, "BLOB_UNKNOWN"), (404, "NAME_UNKNOWN"), (202, "")),
    out_of_order=(500, ""),
    unknown_session=(404, ""),
)

# The embedded registry by manner, and the real registries by fixture.
EMBEDDED = {
    "oci-1.1": OCI,
    "distribution-2.8": DISTRIBUTION_2_8,
    "distribution-3": DISTRIBUTION_3,
    "ggcr": GGCR,
    "pulp": PULP,
}
REAL = {
    "docker_registry": DISTRIBUTION_2_8,
    "distribution_v3": DISTRIBUTION_3,
    "nginx_registry": DISTRIBUTION_3,
    "token_registry": DISTRIBUTION_3,
    "crane_registry": GGCR,
    "pulp_registry": PULP,
}
