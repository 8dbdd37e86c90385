"""The deletion APIs that hosts have beside the distribution API, as far as deleting images needs them.

Doubles, each by the documentation named at its functions; rate limits and every other call are left out. Signing in to
them is not modelled, but for Docker Hub's token: whoever may use the registry may use these.
"""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import unquote

from tests.embedded_registry.manifests import LATER, check_mutable, delete_digest, remove
from tests.embedded_registry.routes import Call, RefusedError, Route, refuse, route
from tests.embedded_registry.state import Manifest, Repository
from tests.embedded_registry.wire import Response, json_response


def routes(host_api: str) -> list[Route]:
    """Return the routes that a host of this kind has more than a plain registry."""
    return _ROUTES.get(host_api, [])


def _repository(call: Call, name: str) -> Repository:
    repository = call.state.repositories.get(name)
    if repository is None:
        raise refuse(404, "NOT_FOUND", f"repository {name} not found")
    return repository


def _untag(repository: Repository, tag: str) -> None:
    if repository.tags.pop(tag, None) is None:
        raise refuse(404, "NOT_FOUND", f"tag {tag} not found")


def _harbor_delete_tag(call: Call) -> Response:
    """Untag, 200; the reference may be a tag or a digest and the tag must be on it.

    goharbor/harbor, api/v2.0/swagger.yaml, operation deleteTag. A slash in the repository's name is encoded twice.
    """
    match = re.fullmatch(_HARBOR_PATH, call.request.path)
    project, name, reference, tag = match.groups() if match else ("", "", "", "")
    repository = _repository(call, f"{project}/{unquote(name)}")
    manifest = repository.find(reference)
    if manifest is None or tag not in repository.tags_of(manifest.digest):
        raise refuse(404, "NOT_FOUND", f"tag {tag} attached to {reference} not found")
    check_mutable(call.manner, tag)
    _untag(repository, tag)
    return Response(200)


def _acr_delete_tag(call: Call) -> Response:
    """Untag, 202 (learn.microsoft.com, Azure Container Registry REST API, "Tag - Delete")."""
    _untag(_repository(call, call.name), call.target)
    return Response(202)


def _hub_token(call: Call) -> Response:
    """Give a token to whoever names an account (docs.docker.com/reference/api/hub/latest, "Create access token")."""
    body = json.loads(bytes(call.request.body))
    if not body.get("identifier") or not body.get("secret"):
        raise refuse(401, "UNAUTHORIZED", "wrong credentials")
    return json_response(200, {"access_token": "a-hub-token"})


def _hub_delete_tag(call: Call) -> Response:
    """Untag, 204: in no reference, but what Docker's hub-tool sends (github.com/docker/hub-tool, pkg/hub/tags.go)."""
    _untag(_repository(call, call.name), call.target)
    return Response(204)


def _ghcr_versions(repository: Repository) -> dict[int, Manifest]:
    """Number the manifests as package versions: from the digest, so that a number stays with its manifest."""
    return {int(manifest.digest[7:19], 16): manifest for manifest in repository.manifests.values()}


def _ghcr_package(call: Call) -> Repository:
    match = re.fullmatch(_GHCR_PATH, call.request.path)
    owner, package = (match["owner"], match["package"]) if match else ("", "")
    return _repository(call, f"{owner}/{unquote(package)}")


def _ghcr_list_versions(call: Call) -> Response:
    """List versions with their tags (docs.github.com/rest/packages, "List package versions for an organization")."""
    repository, query = _ghcr_package(call), call.request.query
    size = min(int(query.get("per_page", "30")), 100)
    start = (int(query.get("page", "1")) - 1) * size
    every = list(_ghcr_versions(repository).items())
    versions = every[start : start + size]
    page = int(query.get("page", "1")) + 1
    link = f'<http://{call.host}{call.request.path}?per_page={size}&page={page}>; rel="next"'
    headers = {"Link": link} if start + size < len(every) else {}
    return json_response(200, [_ghcr_version(repository, number, manifest) for number, manifest in versions], headers)


def _ghcr_version(repository: Repository, number: int, manifest: Manifest) -> dict[str, Any]:
    tags = {"tags": repository.tags_of(manifest.digest)}
    return {
        "id": number,
        "name": manifest.digest,
        "metadata": {"package_type": "container", "container": tags},
    }


def _ghcr_get_version(call: Call) -> Response:
    """Answer one version (docs.github.com/rest/packages, "Get a package version for an organization")."""
    repository = _ghcr_package(call)
    manifest = _ghcr_versions(repository).get(int(call.target))
    if manifest is None:
        raise refuse(404, "NOT_FOUND", "Package not found.")
    return json_response(200, _ghcr_version(repository, int(call.target), manifest))


def _ghcr_delete_version(call: Call) -> Response:
    """Delete a version with every tag on it, 204 (docs.github.com/rest/packages, "Delete package version")."""
    repository = _ghcr_package(call)
    manifest = _ghcr_versions(repository).get(int(call.target))
    if manifest is None:
        raise refuse(404, "NOT_FOUND", "Package not found.")
    remove(call.manner, repository, manifest.digest)
    return Response(204)


def _pulp_distributions(call: Call) -> Response:
    """Name the repository that is served at a path (pulp_container 2.30, the distributions' filter base_path)."""
    name = call.request.query.get("base_path", "")
    results = [{"base_path": name, "repository": _PULP_REPOSITORY}] if name in call.state.repositories else []
    call.state.pulp_path = name
    return json_response(200, {"count": len(results), "next": None, "results": results})


def _pulp_tasks(call: Call) -> Response:
    """Count what is still to be done (pulpcore 3.123, the filters logging_cid and state__in are not looked at)."""
    return json_response(200, {"count": len(call.state.later), "results": []})


def _pulp_untag(call: Call) -> Response:
    """Take on to remove a tag, 202 (pulp_container 2.30, app/viewsets.py, untag)."""
    repository = _repository(call, call.state.pulp_path)
    tag = json.loads(bytes(call.request.body))["tag"]
    if tag not in repository.tags:
        version = f"<Repository: {call.state.pulp_path}; Version: 2>"
        absent = f"The tag '{tag}' does not exist in the latest repository version '{version}'"
        return json_response(400, {"non_field_errors": [absent]})
    call.state.later.append([LATER, lambda: repository.tags.pop(tag, None)])
    return json_response(202, {"task": "/pulp/api/v3/tasks/01a22d23-7077-7bc7-b19e-f528806ffadf/"})


def _ecr(call: Call) -> Response:
    """Answer BatchDeleteImage, the one action offered.

    docs.aws.amazon.com/cli/latest/reference/ecr/batch-delete-image.html: a tag is removed, and the image with its
    last tag; a digest is removed with every tag on it; what fails is listed and the answer is 200 all the same.
    """
    action = call.request.headers.get("x-amz-target", "").rpartition(".")[2]
    if action != "BatchDeleteImage":
        return json_response(400, {"__type": "UnknownOperationException"})
    wish = json.loads(bytes(call.request.body))
    repository = call.state.repositories.get(wish["repositoryName"])
    if repository is None:
        return json_response(400, {"__type": "RepositoryNotFoundException", "message": "no such repository"})
    results = [_ecr_result(call, repository, image) for image in wish["imageIds"]]
    done = [result for result in results if "failureCode" not in result]
    failures = [result for result in results if "failureCode" in result]
    return json_response(200, {"imageIds": done, "failures": failures})


def _ecr_result(call: Call, repository: Repository, image: dict[str, str]) -> dict[str, Any]:
    try:
        return {**_ecr_delete(call, repository, image)}
    except RefusedError as refused:
        code = _ECR_FAILURES.get(refused.refusal.code, refused.refusal.code)
        reason = refused.refusal.message.replace("%s", refused.subjects[0])
        return {"imageId": image, "failureCode": code, "failureReason": reason}


def _ecr_delete(call: Call, repository: Repository, image: dict[str, str]) -> dict[str, str]:
    if "imageTag" not in image:
        delete_digest(call.manner, repository, image["imageDigest"])
        return image
    digest = repository.tags.get(image["imageTag"], "")
    if not digest:
        raise refuse(404, "MANIFEST_UNKNOWN", "requested image not found")
    if image.get("imageDigest", digest) != digest:
        raise refuse(400, "ImageTagDoesNotMatchDigest", "the tag is on another image")
    if repository.tags_of(digest) == [image["imageTag"]]:
        delete_digest(call.manner, repository, digest)
    else:
        del repository.tags[image["imageTag"]]
    return {"imageTag": image["imageTag"], "imageDigest": digest}


_ECR_FAILURES = {"MANIFEST_UNKNOWN": "ImageNotFound"}
_HARBOR_PATH = r"/api/v2\.0/projects/([^/]+)/repositories/(.+)/artifacts/([^/]+)/tags/([^/]+)"
_GHCR_PATH = r"/(?:orgs|users)/(?P<owner>[^/]+)/packages/container/(?P<package>.+?)/versions(?:/(?P<target>\d+))?"
_PULP_REPOSITORY = "/pulp/api/v3/repositories/container/container/01a22d23-7077-7bc7-b19e-f528806ffadf/"
_GHCR_USER = _GHCR_PATH.replace("(?:/(?P<target>\\d+))?", "")

_ROUTES: dict[str, list[Route]] = {
    "harbor": [route(_HARBOR_PATH, DELETE=_harbor_delete_tag)],
    "acr": [route("/acr/v1/NAME/_tags/(?P<target>[^/]+)", DELETE=_acr_delete_tag)],
    "docker-hub": [
        route("/v2/auth/token", POST=_hub_token),
        route("/v2/repositories/NAME/tags/(?P<target>[^/]+)/?", DELETE=_hub_delete_tag),
    ],
    "ghcr": [
        route(_GHCR_USER, GET=_ghcr_list_versions),
        route(_GHCR_PATH, GET=_ghcr_get_version, DELETE=_ghcr_delete_version),
    ],
    "ecr": [route("/", POST=_ecr)],
    "pulp": [
        route("/pulp/api/v3/tasks/", GET=_pulp_tasks),
        route("/pulp/api/v3/distributions/container/container/", GET=_pulp_distributions),
        route(f"{_PULP_REPOSITORY}untag/", POST=_pulp_untag),
    ],
}
