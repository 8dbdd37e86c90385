"""The manners of the registries in use: each one a double, by name.

[M] measured against the real program, [S] read from its source, [D] by its documentation, which is to be
believed less. Only what matters to copying and deleting is here.
"""

from __future__ import annotations

from tests.embedded_registry.blobs import BLOB_UNKNOWN
from tests.embedded_registry.manner import MANIFEST_UNKNOWN, Authentication, Manner, Refusal

NO_TAG_DELETE = Refusal(405, "UNSUPPORTED", "The operation is unsupported.")

_HARBOR_NOT_FOUND = Refusal(404, "NOT_FOUND", "artifact %s not found")

_PAGE = Refusal(500)

_PRESETS = [
    Manner(),
    # [M] Debian's docker-registry 2.8.2.
    Manner(
        name="distribution-2.8",
        delete_tag=Refusal(400, "DIGEST_INVALID", "provided digest did not match uploaded content"),
        delete_in_unknown_repository=MANIFEST_UNKNOWN,
        unknown_repository=MANIFEST_UNKNOWN,
        needs_accept=True,
        cuts_416=True,
        tag_paging="none",
        no_tags="null",
        referrers=False,
        monolithic_post=False,
        out_of_order=None,
        location="absolute",
        location_query=True,
        stale_location=Refusal(404, "BLOB_UPLOAD_INVALID", "blob upload invalid"),
    ),
    # [M] distribution v3.1.1.
    Manner(
        name="distribution-3",
        delete_in_unknown_repository=MANIFEST_UNKNOWN,
        unknown_repository=MANIFEST_UNKNOWN,
        no_tags="null",
        referrers=False,
        monolithic_post=False,
        location="absolute",
        location_query=True,
        needs_accept=True,
        out_of_order=Refusal(416, "RANGE_INVALID", "invalid content range"),
        stale_location=Refusal(416, "RANGE_INVALID", "invalid content range"),
    ),
    # [M] zot, main @6d19b44.
    Manner(
        name="zot",
        names_version=False,
        guards_children=Refusal(405, "DENIED", "manifest is referenced by an index"),
        missing_blob=Refusal(400, "MANIFEST_INVALID", "manifest invalid"),
        missing_child=Refusal(400, "MANIFEST_INVALID", "manifest invalid"),
        names_missing=False,
        wrong_digest=Refusal(400, "MANIFEST_INVALID", "manifest invalid"),
        collects_untagged=True,
        guards_blobs=Refusal(405, "DENIED", "requested access to the resource is denied"),
        delete_blob_in_unknown_repository=BLOB_UNKNOWN,
        ping_challenge='basic realm="zot"',
        names_mounts=False,
        names_sessions=False,
        delete_in_unknown_repository=Refusal(400, "NAME_UNKNOWN", "repository name not known to registry"),
        refused_media_types=(
            "application/vnd.docker.distribution.manifest.v2+json",
            "application/vnd.docker.distribution.manifest.list.v2+json",
        ),
    ),
    # [M] go-containerregistry's pkg/registry, that is `crane registry serve`.
    Manner(
        name="ggcr",
        names_version=False,
        tags_of_deleted="answering",
        ranges="closed",
        shares_blobs=True,
        tag_paging="no-link",
        referrers=False,
        validates="nothing",
        missing_blob=None,
        missing_child=Refusal(404, "MANIFEST_UNKNOWN", "sub-manifest not found"),
        mount="session",
        out_of_order=Refusal(416, "BLOB_UPLOAD_UNKNOWN", "the content range does not match"),
        names_location=False,
        session_requests=Refusal(400, "NAME_INVALID", "invalid digest"),
    ),
    # [M] Harbor 2.16.0's core over distribution 2.8.2.
    Manner(
        name="harbor",
        delete_tag=Refusal(400, "UNSUPPORTED", "the reference must be a digest"),
        delete_in_unknown_repository=_HARBOR_NOT_FOUND,
        deletes_children=True,
        guards_children=Refusal(412, "VIOLATE_FOREIGN_KEY_CONSTRAINT", "the child of an index cannot be deleted"),
        unknown_repository=_HARBOR_NOT_FOUND,
        unknown=_HARBOR_NOT_FOUND,
        missing_child=_HARBOR_NOT_FOUND,
        not_json=Refusal(500, "UNKNOWN", "unknown error"),
        tag_immutable=Refusal(412, "PRECONDITION", "configured as immutable, cannot be updated or deleted"),
        immutable_stay=True,
        monolithic_post=False,
        location_query=True,
        out_of_order=None,
        stale_location=Refusal(404, "BLOB_UPLOAD_INVALID", "blob upload invalid"),
        host_api="harbor",
    ),
    # [M] Pulp 3.123.1 with pulp-container 2.30.0; what it does later, it does here at the next request.
    Manner(
        name="pulp",
        delete_tag=Refusal(400, "INVALID_REQUEST", "A manifest can only be deleted by digest."),
        deletes_children=True,
        deletes_later=True,
        forgets_blobs=True,
        json_only=True,
        error_pages=True,
        validates="json",
        not_json=_PAGE,
        checks_blobs=False,
        no_digest=_PAGE,
        missing_config=Refusal(400, "BLOB_UNKNOWN", "blob unknown to registry"),
        missing_blob=Refusal(400, "MANIFEST_INVALID", "manifest invalid"),
        missing_child=None,
        creates_repositories="with blobs",
        mount="strict",
        out_of_order=_PAGE,
        unknown_session=Refusal(404, "", "No Upload matches the given query."),
        referrers=False,
        host_api="pulp",
    ),
    # [S] Quay.
    Manner(
        name="quay",
        guards_untagged=Refusal(404, "MANIFEST_UNKNOWN", "manifest unknown"),
        authentication=Authentication(refuses_delete_scope=True),
    ),
    # [D] Docker Hub.
    Manner(
        name="docker-hub",
        delete_tag=NO_TAG_DELETE,
        guards_children=Refusal(403, "DENIED", "the manifest is referenced"),
        host_api="docker-hub",
    ),
    # [D] GitHub's container registry.
    Manner(
        name="ghcr",
        delete_tag=NO_TAG_DELETE,
        delete_digest=NO_TAG_DELETE,
        delete_blob=NO_TAG_DELETE,
        referrers=False,
        host_api="ghcr",
    ),
    # [D] Amazon ECR.
    Manner(
        name="ecr",
        delete_tag=NO_TAG_DELETE,
        guards_children=Refusal(400, "ImageReferencedByManifestList", "%s is referenced by a manifest list"),
        patch_status=201,
        creates_repositories="never",
        host_api="ecr",
    ),
    # [D] Google Artifact Registry and Container Registry.
    Manner(
        name="google",
        guards_tagged=Refusal(400, "GOOGLE_MANIFEST_DANGLING_TAG", "Manifest is still referenced by tag: %s"),
        guards_children=Refusal(
            400,
            "GOOGLE_MANIFEST_DANGLING_PARENT_IMAGE",
            "Manifest is still referenced by one or more parents: %s",
        ),
        tags_list_names_manifests=True,
    ),
    # [D] Azure Container Registry.
    Manner(name="acr", delete_tag=NO_TAG_DELETE, host_api="acr"),
    # [D] GitLab 16.
    Manner(name="gitlab"),
    # [D] Sonatype Nexus 3.
    Manner(name="nexus", tags_of_deleted="dangling", delete_tag=NO_TAG_DELETE, head="no-digest"),
    # [D] JFrog Artifactory.
    Manner(name="artifactory", tags_of_deleted="dangling", head="refused"),
]

MANNERS = {manner.name: manner for manner in _PRESETS}
