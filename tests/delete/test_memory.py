"""A delete stays small, whatever a registry says of its tags and of what refers to them."""

from __future__ import annotations

from tests.embedded_registry import EmbeddedRegistry, Fault, Request, Response
from tests.embedded_registry.images import OCI_INDEX, describe, image, index_of, to_json
from tests.embedded_registry.state import Manifest
from tests.embedded_registry.wire import json_response
from tests.hostile.test_memory import MOST_MIB, run

MIB = 1024 * 1024


def test_heads_that_lie(registry: EmbeddedRegistry) -> None:
    """Indexes that a HEAD calls small are counted as they arrive, and are looked into one after the other."""
    repository = registry.repository("app")
    gone = image("gone")
    gone.seed(repository, "gone")
    for number in range(40):
        entry = describe(gone.root.media_type, f"{number}".encode())
        padding = {"n": str(number), "x": "y" * (3 * MIB)}
        index = Manifest(
            OCI_INDEX,
            to_json({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry], "annotations": padding}),
        )
        repository.manifests[index.digest] = index
        repository.tags[f"v{number}"] = index.digest

    def lie(request: Request) -> Fault | None:
        tag = request.path.rpartition("/")[2]
        if request.method != "HEAD" or not tag.startswith("v"):
            return None
        headers = {"Content-Type": OCI_INDEX, "Docker-Content-Digest": repository.tags[tag]}
        return Fault(answer=Response(200, headers, length="500"))

    registry.fault = lie
    code, size_mib, said = run("delete", f"{registry.host}/app:gone")
    assert code == 0, said
    assert gone.digest not in repository.manifests
    assert size_mib < MOST_MIB


def test_pages_of_referrers(registry: EmbeddedRegistry) -> None:
    """Referrers that are told in pages as large as a page may be, for each of many children, cost no more."""
    repository = registry.repository("app")
    children = {f"linux/arch{number}": image(number) for number in range(24)}
    index_of(children).seed(repository, "1")
    padding = {"x": "y" * (3 * MIB)}

    def pages(request: Request) -> Fault | None:
        if "/referrers/" not in request.path:
            return None
        page = int(request.query.get("page", "0"))
        entry = describe("application/vnd.oci.image.manifest.v1+json", f"{request.path} {page}".encode())
        document = {
            "schemaVersion": 2,
            "mediaType": OCI_INDEX,
            "manifests": [{**entry, "annotations": padding}],
        }
        link = {"Link": f'<?page={page + 1}>; rel="next"'} if page < 3 else {}
        return Fault(answer=json_response(200, document, {"Content-Type": OCI_INDEX, **link}))

    registry.fault = pages
    for options in ([], ["--referrers"]):
        code, size_mib, said = run("delete", "--dry-run", *options, f"{registry.host}/app:1")
        assert code == 0, said
        assert size_mib < MOST_MIB
