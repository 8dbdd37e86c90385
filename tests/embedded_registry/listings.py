"""Lists: tags, referrers, the catalog (end-8, end-12, and distribution's _catalog)."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from tests.embedded_registry.manner import NAME_UNKNOWN
from tests.embedded_registry.routes import Call, RefusedError, check_accepts_json, no_such_route, refuse
from tests.embedded_registry.state import DIGEST, Repository
from tests.embedded_registry.wire import Response, json_response

INDEX = "application/vnd.oci.image.index.v1+json"


def list_tags(call: Call) -> Response:
    """Answer one page of tags, in lexical order, with a Link to the next."""
    check_accepts_json(call)
    repository = call.known_repository
    if not repository.tags and call.manner.no_tags == "unknown":
        raise RefusedError(NAME_UNKNOWN, call.name)
    page, headers = _page(call, list(repository.tags))
    tags = None if not page and call.manner.no_tags == "null" else page
    document: dict[str, Any] = {"name": call.name, "tags": tags}
    if call.manner.tags_list_names_manifests:
        document |= {"manifest": _manifest_map(repository), "child": []}
    return json_response(200, document, headers)


def list_repositories(call: Call) -> Response:
    page, headers = _page(call, sorted(call.state.repositories))
    return json_response(200, {"repositories": page}, headers)


def list_referrers(call: Call) -> Response:
    """Answer an index of the manifests whose subject this digest is; unknown digests have none."""
    if not call.manner.referrers:
        return no_such_route(call.manner)
    if not DIGEST.fullmatch(call.target):
        raise refuse(400, "DIGEST_INVALID", "provided digest is not one")
    repository = call.state.repositories.get(call.name, Repository())
    entries = [manifest.descriptor() for manifest in repository.referrers_of(call.target)]
    headers = {"Content-Type": INDEX}
    if kind := call.request.query.get("artifactType"):
        entries = [entry for entry in entries if entry.get("artifactType") == kind]
        headers["OCI-Filters-Applied"] = "artifactType"
    return json_response(200, {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}, headers)


def _page(call: Call, entries: list[str]) -> tuple[list[str], dict[str, str]]:
    query = call.request.query
    if call.manner.tag_paging == "none":
        return entries, {}
    if not query.get("n", "0").isdigit():
        raise refuse(400, "PAGINATION_NUMBER_INVALID", "invalid number of results requested")
    rest = [entry for entry in sorted(entries) if entry > query.get("last", "")]
    size = min(int(query["n"]), call.manner.tag_page_size) if "n" in query else call.manner.tag_page_size
    page = rest[:size]
    if not page or len(page) == len(rest) or call.manner.tag_paging == "no-link":
        return page, {}
    following = urlencode({"n": size, "last": page[-1]})
    return page, {"Link": f'<{call.request.path}?{following}>; rel="next"'}


def _manifest_map(repository: Repository) -> dict[str, Any]:
    """Name every manifest with its tags, as Google's registries do beside the plain list."""
    return {
        digest: {
            "imageSizeBytes": str(len(manifest.content)),
            "layerId": "",
            "mediaType": manifest.media_type,
            "tag": repository.tags_of(digest),
            "timeCreatedMs": "0",
            "timeUploadedMs": "0",
        }
        for digest, manifest in repository.manifests.items()
    }
