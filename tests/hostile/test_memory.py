"""Memory stays flat, whatever a registry sends: measured from outside, as the largest size a process of its own had."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.images import Image, Layer, digest
from tests.command import IMAGESYNC, environment
from tests.embedded_registry import EmbeddedRegistry
from tests.embedded_registry.faults import Fault, refusal, with_header
from tests.embedded_registry.images import OCI_INDEX, OCI_MANIFEST, describe, image, index, referrer, to_json
from tests.embedded_registry.state import Manifest, digest_of
from tests.embedded_registry.wire import Request, Response, json_response
from tests.hostile.streams import streaming
from tests.stores.copying import upload

MIB = 1024 * 1024
MOST_MIB = 80
# Runs a command and says how it ended and how large it was; a process between, as only a child's size can be asked for.
_MEASURE = (
    "import json, resource, subprocess, sys;"
    "done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=3000);"
    "used = resource.getrusage(resource.RUSAGE_CHILDREN);"
    "print(json.dumps([done.returncode, used.ru_maxrss, used.ru_utime + used.ru_stime, done.stderr[-500:]]))"
)
Answer = Callable[[Request], "Response | None"]


def run(*arguments: str, within_s: float = 240, cpu_s: float = 60, stdin: str = "") -> tuple[int, float, str]:
    """Exit code, largest resident size in MiB and the end of what it said; of the processor it takes less than that."""
    command = [sys.executable, "-I", "-S", "-c", _MEASURE, *IMAGESYNC, *arguments]
    # Without coverage: what that holds is not imagesync's.
    environ = {name: value for name, value in environment().items() if not name.startswith("COVERAGE")}
    done = subprocess.run(
        command, env=environ, input=stdin, capture_output=True, text=True, timeout=within_s, check=True
    )
    code, size_kib, used_s, said = json.loads(done.stdout)
    assert used_s < cpu_s, said
    return code, size_kib / 1024, said


def _endless(part: str, status: int, headers: dict[str, str] | None = None) -> Answer:
    body = b'{"errors": "' + b"x" * (64 * MIB)
    return lambda request: Response(status, headers or {}, body) if part in request.path else None


def _endless_token(status: int) -> Answer:
    def answer(request: Request) -> Response:
        if request.path == "/token":
            return Response(status, {}, b'{"token": "' + b"x" * (64 * MIB))
        realm = f'Bearer realm="http://{request.headers["host"]}/token"'
        return Response(401, {"WWW-Authenticate": realm}, b"x" * (64 * MIB))

    return answer


def _long_header(name: str, status: int) -> Answer:
    return lambda _: Response(status, {name: "a=b, " * MIB}, b"")


def _pages(request: Request) -> Response | None:
    """A thousand pages with a thousand tags each, and more."""
    if "tags/list" not in request.path:
        return None
    start = int(request.query.get("last", "t0")[1:])
    names = [f"t{number}" for number in range(start + 1, start + 1001)]
    return json_response(200, {"tags": names}, {"Link": f'<list?n=1000&last={names[-1]}>; rel="next"'})


def _long_names(request: Request) -> Response | None:
    """A hundred pages with one name each, as long as a page may be."""
    if "tags/list" not in request.path:
        return None
    number = int(request.query.get("last", "0")) + 1
    link = {"Link": f'<list?n=1&last={number}>; rel="next"'} if number < 100 else {}
    return json_response(200, {"tags": [f"{number}{'x' * (4 * MIB - 200)}"]}, link)


HOSTILE: dict[str, tuple[Answer, str]] = {
    "a manifest": (_endless("/manifests/", 200, {"Content-Type": OCI_MANIFEST}), "sync"),
    "an error": (_endless("/manifests/", 403), "sync"),
    "a redirect": (_endless("/manifests/", 307, {"Location": "/v2/app/manifests/2"}), "sync"),
    "a refusal of a login, a token": (_endless_token(200), "sync"),
    "an error of the token server": (_endless_token(403), "sync"),
    "a list of tags": (_endless("/tags/list", 200), "delete"),
    "pages of tags": (_pages, "delete"),
    "names of tags": (_long_names, "tags"),
    "names of tags, for a delete": (_long_names, "delete"),
    "a challenge": (_long_header("WWW-Authenticate", 401), "sync"),
    "a header": (_long_header("X", 200), "sync"),
    "a location": (_long_header("Location", 307), "sync"),
}


@pytest.mark.parametrize(("answer", "command"), HOSTILE.values(), ids=HOSTILE)
def test_endless(registry: EmbeddedRegistry, tmp_path: Path, answer: Answer, command: str) -> None:
    """What never ends where something short is expected is given up before it costs much memory."""
    image().seed(registry.repository("app"), "1")
    registry.fault = lambda request: Fault(answer=said) if (said := answer(request)) is not None else None
    more = [f"oci:{tmp_path}/copy:1"] if command == "sync" else []
    code, size_mib, said = run(command, f"{registry.host}/app:1", *more)
    assert code != 0 or command == "delete", said
    assert "unexpected" not in said
    assert size_mib < MOST_MIB
    assert not (tmp_path / "copy" / "index.json").exists()


def _put(registry: EmbeddedRegistry, document: object, media_type: str = OCI_INDEX) -> Manifest:
    manifest = Manifest(media_type, to_json(document))
    repository = registry.repository("app")
    repository.manifests[manifest.digest] = manifest
    repository.tags["1"] = manifest.digest
    return manifest


def _index(*entries: object) -> dict[str, object]:
    return {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": list(entries)}


def _wide(registry: EmbeddedRegistry) -> None:
    """Ten thousand entries, padded to the most that a manifest may have."""
    _put(
        registry,
        _index(
            *(
                {
                    "mediaType": OCI_MANIFEST,
                    "digest": digest_of(str(n).encode()),
                    "size": 1,
                    "annotations": {"a": "x" * 150},
                }
                for n in range(10_000)
            )
        ),
    )


def _heavy(registry: EmbeddedRegistry) -> None:
    """Thirty images of 3 MiB of manifest each."""
    root = image().root
    children = [
        _put(registry, {**root.document, "annotations": {"n": str(n), "x": "y" * 3 * MIB}}, root.media_type)
        for n in range(30)
    ]
    _put(registry, _index(*(describe(child.media_type, child.content) for child in children)))


def _many_heavy(registry: EmbeddedRegistry) -> None:
    """A hundred tags on indexes of 1 MiB each."""
    root = image().root
    registry.repository("app").manifests[root.digest] = root
    entry = describe(root.media_type, root.content)
    for number in range(100):
        index = _put(registry, {**_index(entry), "annotations": {"n": str(number), "x": "y" * MIB}})
        registry.repository("app").tags[f"tag-{number}"] = index.digest


def test_who_uses_what(registry: EmbeddedRegistry) -> None:
    """Tags whose indexes are larger together than memory may be keep what they use, and a delete ends."""
    _many_heavy(registry)
    before = set(registry.repository("app").manifests)
    code, size_mib, said = run("delete", f"{registry.host}/app:1")
    assert "1" not in registry.repository("app").tags
    assert set(registry.repository("app").manifests) == before, (code, said)
    assert size_mib < MOST_MIB


def _repeated(registry: EmbeddedRegistry) -> None:
    """Four indexes at each of fourteen levels, each naming all four below: 268 million ways down to one image."""
    level = [image().root]
    for depth in range(14):
        entries = [describe(each.media_type, each.content) for each in level]
        level = [
            _put(registry, {**_index(*entries), "annotations": {"at": f"{depth} {number}"}}) for number in range(4)
        ]


@pytest.mark.parametrize(("hostile", "code"), [(_wide, 3), (_heavy, 6), (_repeated, 0)])
def test_large_indexes(
    registry: EmbeddedRegistry, tmp_path: Path, hostile: Callable[[EmbeddedRegistry], None], code: int
) -> None:
    """An index that is as wide, heavy or deep as it may be costs little memory, and ends."""
    image().seed(registry.repository("app"), "0")
    hostile(registry)
    found, size_mib, said = run("sync", f"{registry.host}/app:1", f"oci:{tmp_path}/copy:1")
    assert found == code, said
    assert size_mib < MOST_MIB


def _whole_and_wide(registry: EmbeddedRegistry) -> None:
    """Nearly as many images as an index may name, all of them there; they share their layers."""
    root = image().root
    repository, entries = registry.repository("app"), []
    for number in range(9_990):
        child = Manifest(root.media_type, to_json({**root.document, "annotations": {"n": str(number), "x": "y" * 600}}))
        repository.manifests[child.digest] = child
        entries.append({**describe(child.media_type, child.content), "annotations": {"a": "x" * 150}})
    _put(registry, _index(*entries))


def test_looking_at_a_large_index(registry: EmbeddedRegistry) -> None:
    """A check of all that such an index names costs little memory as well."""
    image().seed(registry.repository("app"), "0")
    _whole_and_wide(registry)
    code, size_mib, said = run("check", "--deep", f"{registry.host}/app:1")
    assert code == 0, said
    assert size_mib < MOST_MIB


def _external(registry: EmbeddedRegistry, **asked: object) -> str:
    """Terraform's question about the image, or about a copy of it."""
    return json.dumps({"images": json.dumps({"a": {"reference": f"{registry.host}/app:1", **asked}})})


def _command(registry: EmbeddedRegistry, folder: Path, name: str) -> tuple[list[str], str]:
    """What is called, and what it reads."""
    app = f"{registry.host}/app:1"
    if name == "lock":
        file = folder / "images.yaml"
        file.write_text(json.dumps({"images": [{"source": app, "destination": f"{registry.host}/copy:1"}]}))
        return ["lock", "--file", str(file)], ""
    if name == "estimate":
        digest = registry.repository("app").tags["1"]
        copy = {"source": app, "digest": digest, "estimated": True, "sized": True}
        return ["external"], _external(registry, reference=f"{registry.host}/copy:1", copy=copy)
    return {
        "sync": (["sync", app, f"oci:{folder}/copy:1"], ""),
        "sync --referrers": (["sync", "--referrers", app, f"oci:{folder}/copy:1"], ""),
        "sync --platform": (["sync", "--platform", "linux/s390x", app, f"oci:{folder}/copy:1"], ""),
        "check --deep": (["check", "--deep", app], ""),
        "check --referrers": (["check", "--deep", "--referrers", app], ""),
        "external": (["external"], _external(registry, referrers=True)),
        "verify": (["external"], _external(registry, verify="deep", referrers=True)),
    }[name]


def _lying(registry: EmbeddedRegistry) -> None:
    """Twenty children that are said to have ten bytes and have nearly 4 MiB."""
    root, repository = image().root, registry.repository("app")
    entries = []
    for n in range(20):
        document = {**root.document, "annotations": {"n": str(n), "x": "y" * (4 * MIB - 2000)}}
        child = Manifest(root.media_type, to_json(document))
        repository.manifests[child.digest] = child
        entries.append({**describe(child.media_type, child.content), "size": 10})
    _put(registry, _index(*entries))


def _dense(registry: EmbeddedRegistry, part: str = "[],") -> None:
    """4 MiB of the smallest values there are, in each of ten children and in their index."""
    root, repository = image().root, registry.repository("app")
    entries = []
    for n in range(10):
        values = (part * (3 * MIB // len(part))).rstrip(",")
        content = f'{to_json(root.document).decode()[:-1]}, "n": {n}, "x": [{values}]}}'.encode()
        child = Manifest(root.media_type, content)
        repository.manifests[child.digest] = child
        entries.append(describe(child.media_type, child.content))
    _put(registry, _index(*entries))


def _wide_characters(registry: EmbeddedRegistry) -> None:
    """Long annotations with one character each that makes four bytes of every other one."""
    root, repository = image().root, registry.repository("app")
    entries = []
    for n in range(4):
        document = {**root.document, "annotations": {"n": str(n), "x": "y" * (3 * MIB)}}
        content = to_json(document).replace(b"yyy", "\N{CAT FACE}".encode(), 1)
        child = Manifest(root.media_type, content)
        repository.manifests[child.digest] = child
        entries.append(describe(child.media_type, child.content))
    _put(registry, _index(*entries))


def _many_referrers(registry: EmbeddedRegistry) -> None:
    """Sixty pages of nearly 4 MiB each, of the referrers of every manifest."""
    made = index()
    made.seed(registry.repository("app"), "1")
    entry = {"mediaType": OCI_MANIFEST, "size": 1000, "annotations": {"a": "x" * 3000}}
    pages: dict[int, bytes] = {}

    def answer(request: Request) -> Fault | None:
        if "/referrers/" not in request.path:
            return None
        page = int(request.query.get("page", "0"))
        if page not in pages:
            digests = (digest_of(f"{page} {number}".encode()) for number in range(1200))
            pages[page] = to_json(_index(*({**entry, "digest": digest} for digest in digests)))
        link = {"Link": f'<{request.path}?page={page + 1}>; rel="next"'} if page < 59 else {}
        return Fault(answer=Response(200, {"Content-Type": OCI_INDEX, **link}, pages[page]))

    registry.fault = answer


def _heavy_referrers(registry: EmbeddedRegistry) -> None:
    """Thirty signatures with manifests of 3 MiB."""
    made = image()
    made.seed(registry.repository("app"), "1")
    for n in range(30):
        root = referrer(made, "application/vnd.cncf.notary.signature").root
        document = {**root.document, "annotations": {"n": str(n), "x": "y" * (3 * MIB)}}
        signature = Manifest(root.media_type, to_json(document))
        registry.repository("app").manifests[signature.digest] = signature


def _dense_config(registry: EmbeddedRegistry) -> None:
    """Ten images whose configs are 4 MiB of the smallest values."""
    repository, root = registry.repository("app"), image().root
    entries = []
    for n in range(10):
        config = f'{{"n": {n}, "os": "linux", "x": [{"[]," * MIB}1]}}'.encode()
        repository.blobs[digest_of(config)] = config
        document = {**root.document, "config": describe("application/vnd.oci.image.config.v1+json", config)}
        child = Manifest(root.media_type, to_json(document))
        repository.manifests[child.digest] = child
        entries.append(describe(child.media_type, child.content))
    _put(registry, _index(*entries))


ATTACKS: dict[str, tuple[Callable[[EmbeddedRegistry], None], tuple[str, ...]]] = {
    "heavy children": (_heavy, ("lock", "estimate", "check --deep")),
    "children that are longer than told": (_lying, ("sync", "lock", "estimate", "verify")),
    "dense children": (_dense, ("sync", "check --deep")),
    "wide characters": (_wide_characters, ("sync", "check --deep")),
    "pages of referrers": (_many_referrers, ("sync --referrers", "external")),
    "heavy referrers": (_heavy_referrers, ("sync --referrers", "external", "check --referrers")),
    "dense configs": (_dense_config, ("sync --platform", "lock")),
}


@pytest.mark.parametrize(
    ("attack", "command"), [(name, command) for name, (_, commands) in ATTACKS.items() for command in commands]
)
def test_every_reader(registry: EmbeddedRegistry, tmp_path: Path, attack: str, command: str) -> None:
    """Whatever hangs below an image or is attached to it: what reads it stays small, ends in time, and says why."""
    image().seed(registry.repository("app"), "0")
    ATTACKS[attack][0](registry)
    arguments, stdin = _command(registry, tmp_path, command)
    code, size_mib, said = run(*arguments, stdin=stdin)
    assert "unexpected" not in said
    assert "Traceback" not in said
    assert code in (0, 3, 6, 8), said
    assert size_mib < MOST_MIB, (code, said)


def _copied(layers: int, size_mib: int, **limits: Any) -> float:
    """Copy an image of such layers; gives the largest size."""
    made = Image("streamed", (tuple(Layer(700 + number, size_mib) for number in range(layers)),))
    with streaming(made) as (host, written):
        code, used_mib, said = run("sync", f"{host}/app:1", f"{host}/copy:1", **limits)
        assert code == 0, said
        assert {digest(layer) for layer in made.layers} <= written.keys()
        assert all(found == wanted for wanted, found in written.items() if wanted.startswith("sha256:"))
        return used_mib


def test_large_layers() -> None:
    """Layers of 200 MiB pass through as much memory as those of 2 MiB."""
    small, large = _copied(2, 2), _copied(2, 200)
    assert large < min(MOST_MIB, small + 24)


@pytest.mark.parametrize("least_bytes", [0, 16 * 1024 * 1024, 10**15])
def test_many_layers_in_pieces(registry: EmbeddedRegistry, tmp_path: Path, least_bytes: int) -> None:
    """A registry that takes blobs in pieces alone, however large it wants them, costs no more memory than any other."""
    image(layers=6, layer_size_bytes=20 * 1024 * 1024).write_layout(tmp_path / "layout", "1")

    def in_pieces(request: Request) -> Fault | None:
        if upload("POST")(request):
            return with_header("OCI-Chunk-Min-Length", f"{least_bytes}")
        whole = upload("PUT")(request) and int(request.headers["content-length"]) > 100_000
        return refusal(413) if whole else None

    registry.fault = in_pieces
    code, size_mib, said = run("sync", f"oci:{tmp_path / 'layout'}:1", f"{registry.host}/app:1")
    assert code == 0, said
    assert size_mib < MOST_MIB


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_very_large_layers() -> None:
    """Ten layers of 2 GiB as well."""
    assert _copied(10, 2048, within_s=3000, cpu_s=3000) < MOST_MIB


def _in_sync(folder: Path, images: int) -> float:
    """Return the largest size, in MiB, of a run over a file of images that are all in sync."""
    names = [f"team/app-{number // 10}:v{number % 10}" for number in range(images)]
    with EmbeddedRegistry() as source, EmbeddedRegistry() as mirror:
        for name in names:
            repository, tag = name.split(":")
            for registry in (source, mirror):
                image().seed(registry.repository(repository), tag)
        entries = [f"  - {{source: '{source.host}/{name}', destination: '{mirror.host}/{name}'}}\n" for name in names]
        file = folder / f"{images}.yaml"
        file.write_text("images:\n" + "".join(entries))
        code, size_mib, said = run("sync", "--file", str(file), "--report", str(folder / "report.prom"))
        assert code == 0, said
        assert f"{images} there already" in said
        return size_mib


def test_many_images_in_sync(tmp_path: Path) -> None:
    """10,000 would stay below the bound: each image adds little to the least that a run needs."""
    few, many = _in_sync(tmp_path, 100), _in_sync(tmp_path, 2_100)
    assert few + (many - few) / 2_000 * 10_000 < MOST_MIB
