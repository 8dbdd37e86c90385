"""How a registry behaves, as one value: every knob of the embedded registry.

The plain ``Manner()`` is a good registry of distribution-spec v1.1. The kinds of the world are in presets.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

HostApi = Literal["", "harbor", "acr", "docker-hub", "ghcr", "ecr", "pulp"]


@dataclass(frozen=True)
class Refusal:
    """A status with the code and message of the error body; "%s" in the message becomes the digest or tag.

    Without a code it is a web page.
    """

    status: int
    code: str = ""
    message: str = ""


NAME_UNKNOWN = Refusal(404, "NAME_UNKNOWN", "repository name not known to registry")
MANIFEST_UNKNOWN = Refusal(404, "MANIFEST_UNKNOWN", "manifest unknown")
MANIFEST_BLOB_UNKNOWN = Refusal(400, "MANIFEST_BLOB_UNKNOWN", "blob unknown to registry")


@dataclass(frozen=True)
class Authentication:
    """Who may do what, and how they prove it."""

    scheme: Literal["none", "basic", "bearer"] = "none"
    accounts: dict[str, str] = field(default_factory=dict)
    anonymous_pull: bool = False
    token_life_s: float = 300
    token_field: Literal["token", "access_token"] = "token"
    refuses_delete_scope: bool = False
    """Quay's: the token endpoint answers 400 to a scope that names ``delete``; push may delete."""
    one_scope_only: bool = False
    """The token endpoint answers 400 to several scopes at once."""
    allowed: dict[str, str] = field(default_factory=dict)
    """Actions per repository, e.g. {"team/app": "pull,push"}; a repository that is not named allows all."""


@dataclass(frozen=True)
class Manner:
    """The behaviour of one registry."""

    name: str = "oci-1.1"

    # deleting
    delete_tag: Refusal | None = None
    delete_digest: Refusal | None = None
    tags_of_deleted: Literal["removed", "dangling", "answering"] = "removed"
    deletes_children: bool = False
    deletes_later: bool = False
    """A DELETE is taken on with 202 and done some requests later, as Pulp's tasks are."""
    forgets_blobs: bool = False
    """Blobs leave the repository with the last manifest that names them, so a manifest cannot be put back alone."""
    guards_children: Refusal | None = None
    guards_tagged: Refusal | None = None
    guards_untagged: Refusal | None = None
    guards_subjects: Refusal | None = None
    delete_in_unknown_repository: Refusal = NAME_UNKNOWN
    delete_blob: Refusal | None = None
    guards_blobs: Refusal | None = None
    """The answer to the DELETE of a blob that a manifest names."""
    delete_blob_in_unknown_repository: Refusal = NAME_UNKNOWN

    # reading
    unknown_repository: Refusal = NAME_UNKNOWN
    """The answer to a manifest's GET or HEAD where the repository itself is not known."""
    unknown: Refusal | None = None
    """The answer to all that is not there, a repository's tag list too, where it is one and the same."""
    head: Literal["answers", "refused", "no-digest"] = "answers"
    ping_challenge: str = ""
    """Says how to log in with the 200 to a ping, where nobody has to."""
    projects: frozenset[str] | None = None
    """The first parts of all repositories' names; any other is 401 without a challenge, with a good login too."""
    json_only: bool = False
    """Answer 406 to an Accept that leaves out JSON, where the answer would be JSON."""
    error_pages: bool = False
    """What no route is for is answered with a web page."""
    needs_accept: bool = False
    """Know a manifest only to clients whose Accept names its media type; */* is not enough."""
    ranges: Literal["all", "closed", "none"] = "all"
    """Which Range headers of a blob's GET are understood; "closed" is only ``bytes=FIRST-LAST``."""
    cuts_416: bool = False
    """Announce the blob's length with a 416 and close without a body."""
    redirects_blobs: bool = False
    compresses: bool = False
    """Encode answers with gzip whenever the client would take it, as some proxies do."""
    shares_blobs: bool = False
    """A blob of one repository is there in all of them."""
    tag_paging: Literal["link", "no-link", "none"] = "link"
    """"no-link" cuts the list at ``n`` without saying so; "none" takes no notice of ``n`` and ``last``."""
    tag_page_size: int = 1000
    no_tags: Literal["empty", "null", "unknown"] = "empty"
    """What the list of a repository without tags says."""
    tags_list_names_manifests: bool = False
    referrers: bool = True

    # writing
    immutable_tags: bool = False
    tag_immutable: Refusal = Refusal(
        400, "TAG_INVALID", "The tag %s cannot be overwritten because the repository is immutable."
    )
    immutable_stay: bool = False
    """Immutable tags cannot be deleted either, by whatever way."""
    names_version: bool = True
    """Say Docker-Distribution-Api-Version with every answer about a manifest."""
    collects_untagged: bool = False
    """A manifest that loses its tag to another one goes at once, even from under an index, and with it the children
    that nothing else lists."""
    validates: Literal["manifests", "json", "nothing"] = "manifests"
    """What of a manifest is looked at: "json" takes any type and any digest that it is pushed under."""
    not_json: Refusal = Refusal(400, "MANIFEST_INVALID", "manifest invalid")
    checks_blobs: bool = True
    """Refuse a blob that does not match its digest; else one that comes in a single PUT is believed."""
    wrong_digest: Refusal = Refusal(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
    """The answer to a manifest that is pushed under another digest than its own."""
    no_digest: Refusal = Refusal(400, "DIGEST_INVALID", "digest missing")
    """The answer to the end of an upload that does not say the digest."""
    missing_config: Refusal | None = None
    """The answer where the config is missing, if it is another one than for layers."""
    missing_blob: Refusal | None = MANIFEST_BLOB_UNKNOWN
    names_missing: bool = True
    """Say in the answer which blobs and manifests are missing."""
    missing_child: Refusal | None = MANIFEST_BLOB_UNKNOWN
    refused_media_types: tuple[str, ...] = ()
    creates_repositories: Literal["always", "with blobs", "never"] = "always"
    mount: Literal["answers", "session", "refused", "strict"] = "answers"
    """"strict" mounts what a tagged image of the source names, and opens no session for anything else."""
    monolithic_post: bool = True
    out_of_order: Refusal | None = Refusal(416, "BLOB_UPLOAD_INVALID", "chunk out of order")
    """The answer to a chunk whose Content-Range is not the next one; None takes no notice of the header."""
    names_location: bool = True
    """Answer a stored blob or manifest with its Location."""
    names_mounts: bool = True
    """Answer a mount with the digest in a header."""
    names_sessions: bool = True
    """Answer an upload with the session's name in a header."""
    chunk_min_length: int = 0
    patch_status: int = 202
    commit_status: int = 201
    location: Literal["absolute", "relative"] = "relative"
    location_query: bool = False
    """Upload Locations carry a query, which changes with every chunk."""
    stale_location: Refusal | None = None
    """The answer to a chunk sent to a Location that is not the latest."""
    unknown_session: Refusal = Refusal(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry")
    session_requests: Refusal | None = None
    """The answer to GET and DELETE of an upload session where they are not offered."""

    # around it all
    authentication: Authentication = Authentication()
    host_api: HostApi = ""
    delay_ms: float = 0


DELETES_ARE_OFF = Refusal(405, "UNSUPPORTED", "The operation is unsupported.")


def without_deletes(manner: Manner) -> Manner:
    """Switch deleting off, as ``REGISTRY_STORAGE_DELETE_ENABLED=false`` does."""
    off = DELETES_ARE_OFF
    return replace(manner, delete_tag=off, delete_digest=off, delete_blob=off)
