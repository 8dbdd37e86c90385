"""adopt: other tools' files become images.yaml or modules, and what is left behind is said."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from imagesync_cli.batch.adopt import adopted, manifests
from imagesync_cli.batch.adopt.adopted import words_of
from imagesync_cli.batch.entries import read_entries
from imagesync_cli.batch.entry import FolderEntry, ImageEntry
from imagesync_cli.values.tags.rules import TagRules
from tests import peers
from tests.command import Finished, imagesync

REGSYNC = """
version: 1
creds: [{registry: registry.example.com, user: me}]
defaults: {parallel: 2, referrers: true, ratelimit: {min: 100}}
sync:
  - {source: "busybox:1.36", target: "registry.example.com/busybox:1.36", type: image, platform: linux/amd64}
  - source: ghcr.io/org/app
    target: registry.example.com/app
    type: repository
    tags: {allow: ["1\\\\..*", edge], deny: [".*-rc.*"]}
  - {source: ghcr.io/org/db, target: registry.example.com/db, type: repository, tags: {semverRange: [">=1", "<0.5"]}}
  - {source: ghcr.io, target: registry.example.com, type: registry}
  - {source: "a:{{ .Tag }}", target: "registry.example.com/a:1", type: image}
"""
SKOPEO = """
docker.io:
  images: {library/busybox: ["1.36", "sha256:%s"], library/alpine: []}
  images-by-tag-regex: {library/nginx: ^1\\.
  }
  images-by-semver: {library/redis: ">= 6.0"}
  credentials: {username: me}
""" % ("0" * 64)
DREGSY = """
relay: skopeo
tasks:
  - name: one
    interval: 60
    source: {registry: registry.hub.docker.com, auth: abc}
    target: {registry: registry.example.com}
    mappings:
      - {from: library/busybox, to: mirror/busybox, tags: ["1.36", "semver: >=1.31"]}
      - {from: library/alpine, platform: linux/arm64}
      - {from: "regex:library/.*"}
"""
KUBERNETES = """
apiVersion: apps/v1
kind: Deployment
spec:
  template:
    spec:
      initContainers: [{name: i, image: busybox}]
      containers: [{name: a, image: "ghcr.io/org/app:1.0"}, {name: b, image: "${IMAGE}"}]
---
apiVersion: batch/v1
kind: CronJob
spec: {jobTemplate: {spec: {template: {spec: {containers: [{name: c, image: "ghcr.io/org/app:1.0"}]}}}}}
"""
COMPOSE = """
services:
  web: {image: "nginx:1.27", platform: linux/arm64}
  own: {build: .}
"""
DIGEST = f"sha256:{'1' * 64}"
IMAGE_SYNCER = """
auth: {quay.io: {username: xxx, password: yyy}}
images:
  quay.io/coreos/proxy: quay.io/ruohe/proxy
  quay.io/coreos/proxy:v1.0: [r.example.com/proxy, r.example.com:5000/proxy:one]
  quay.io/coreos/app:v1.0,v2.0: r.example.com/app
  quay.io/coreos/app:/v\\d+/: s.example.com/app
  quay.io/coreos/pinned@DIGEST: r.example.com/pinned:1
  quay.io/coreos/default:1: ""
  quay.io/coreos/odd:1: {a: b}
""".replace("DIGEST", DIGEST)
IMAGE_SYNCER_ALONE = json.dumps({"quay.io/coreos/proxy:v1": "r.example.com/proxy", "quay.io/a/b": ["r.example.com/b"]})
OCYNC = """
global: {max_concurrent_transfers: 50}
registries:
  cgr: {url: cgr.dev, head_first: true}
  east: {url: "https://east.example.com"}
  west: {url: west.example.com}
target_groups: {prod: [east, west]}
defaults:
  source: cgr
  targets: prod
  platforms: [linux/amd64]
  tags: {semver: ">=1.0", sort: semver, latest: 10, include: [latest, "2.0-rc1", "x-*"], min_tags: 1}
mappings:
  - {from: chainguard/nginx, to: nginx, artifacts: {enabled: true, include: [application/spdx+json], exclude: [a/b]}}
  - {from: chainguard/py, targets: [west], tags: {glob: ["*-slim"], exclude: "*-debug"}, artifacts: {enabled: false}}
  - {from: chainguard/go, targets: [west], tags: {glob: [a.b, "1.*"], semver: "1"}, artifacts: {enabled: false}}
  - {from: chainguard/id, targets: [west], tags: {glob: [a.b]}, artifacts: {enabled: false}}
  - {from: chainguard/go, tags: {sort: alpha, latest: 2}}
  - {from: chainguard/node, targets: nowhere}
"""
FLUX_MIRROR = """
apiVersion: mirror.plugin.fluxcd.io/v1beta1
kind: Config
artifacts:
  - source: docker.io/stefanprodan/podinfo
    destination: quay.io/my-org/podinfo
    selector: {semver: "6.x", limit: 2}
    includeReferrers: true
    verify: {provider: cosign, matchOIDCIdentity: [{issuer: "https://issuer", subject: ^a@b}], minAge: 48h}
  - {source: ghcr.io/a/unclear, destination: r.example.com/unclear, selector: {}, verify: {provider: cosign}}
  - {source: ghcr.io/a/all, destination: r.example.com/all, selector: {limit: 0}, overwrite: true}
  - {source: ghcr.io/a/one, destination: r.example.com/one}
  - source: ghcr.io/a/nightly
    destination: r.example.com/nightly
    selector: {regex: {pattern: '^.+-(?P<ts>\\d+)$', extract: $ts}, sortBy: numerical, limit: 5}
  - {source: ghcr.io/a/dates, destination: r.example.com/dates, selector: {sortBy: alphabetical, limit: 5}}
  - source: ghcr.io/a/releases
    destination: r.example.com/releases
    selector: {regex: {pattern: ^RELEASE}, sortBy: alphabetical, limit: 0}
charts:
  - {name: podinfo, source: "https://charts.example.com", destination: "oci://quay.io/my-org/charts"}
  - {name: app, source: "oci://ghcr.io/a/charts", destination: "oci://r.example.com/charts", version: ">=1", limit: 3}
hosts: [{host: quay.io, credential: {value: secret}}]
"""
KPROMO = f"""
registries:
  - {{name: gcr.io/staging, src: true}}
  - {{name: us.gcr.io/prod, service-account: a@example.com}}
  - {{name: eu.gcr.io/prod}}
images:
  - name: apple
    dmap: {{"{DIGEST}": ["1.1", latest], "sha256:{"2" * 64}": []}}
"""
STATE = {
    "version": 4,
    "terraform_version": "1.11.4",
    "lineage": "x",
    "resources": [
        {
            "mode": "managed",
            "type": "imagesync_image",
            "name": "web",
            "instances": [
                {
                    "attributes": {
                        "id": f"registry.example.com/web@{DIGEST}",
                        "source": "nginx:1.27",
                        "destination": "registry.example.com/web:1.27",
                        "timeout": "5m",
                    }
                }
            ],
        },
        {"mode": "managed", "type": "aws_s3_bucket", "name": "b", "instances": [{"attributes": {"id": "b"}}]},
    ],
}
FILES = {
    "regsync": REGSYNC,
    "skopeo": SKOPEO,
    "dregsy": DREGSY,
    "kubernetes": KUBERNETES,
    "compose": COMPOSE,
    "state": json.dumps(STATE),
    "image-syncer": IMAGE_SYNCER,
    "image-syncer alone": IMAGE_SYNCER_ALONE,
    "ocync": OCYNC,
    "flux-mirror": FLUX_MIRROR,
    "kpromo": KPROMO,
}
PRE = "/(?i:-(?:rc|alpha|beta|pre|snapshot|nightly))/"
ADOPTED: dict[str, list[tuple[str, str, TagRules | None]]] = {
    "regsync": [
        ("docker.io/library/busybox:1.36", "registry.example.com/busybox:1.36", None),
        ("ghcr.io/org/app", "registry.example.com/app", TagRules(("/^(?:1\\..*)$/", "edge"), ("/^(?:.*-rc.*)$/",))),
        ("ghcr.io/org/db", "registry.example.com/db", TagRules(semver=">=1 || <0.5")),
    ],
    "skopeo": [
        ("docker.io/library/busybox", "m.example.com/x/library/busybox", TagRules(("1.36",))),
        ("docker.io/library/alpine", "m.example.com/x/library/alpine", TagRules(("*",))),
        ("docker.io/library/nginx", "m.example.com/x/library/nginx", TagRules(("/^1\\./",))),
        ("docker.io/library/redis", "m.example.com/x/library/redis", TagRules(semver=">= 6.0")),
    ],
    "dregsy": [
        (
            "registry.hub.docker.com/library/busybox",
            "registry.example.com/mirror/busybox",
            TagRules(("1.36",)),
        ),
        (
            "registry.hub.docker.com/library/busybox",
            "registry.example.com/mirror/busybox",
            TagRules(semver=">=1.31"),
        ),
        ("registry.hub.docker.com/library/alpine", "registry.example.com/library/alpine", TagRules(("*",))),
    ],
    "kubernetes": [
        ("docker.io/library/busybox:latest", "m.example.com/x/library/busybox:latest", None),
        ("ghcr.io/org/app:1.0", "m.example.com/x/org/app:1.0", None),
    ],
    "compose": [("docker.io/library/nginx:1.27", "m.example.com/x/library/nginx:1.27", None)],
    "state": [("docker.io/library/nginx:1.27", "registry.example.com/web:1.27", None)],
    "image-syncer": [
        ("quay.io/coreos/proxy", "quay.io/ruohe/proxy", TagRules(("*",))),
        ("quay.io/coreos/proxy:v1.0", "r.example.com/proxy:v1.0", None),
        ("quay.io/coreos/proxy:v1.0", "r.example.com:5000/proxy:one", None),
        ("quay.io/coreos/app", "r.example.com/app", TagRules(("v1.0", "v2.0"))),
        ("quay.io/coreos/app", "s.example.com/app", TagRules(("/^(?:v\\d+)$/",))),
        (f"quay.io/coreos/pinned@{DIGEST}", "r.example.com/pinned:1", None),
    ],
    "image-syncer alone": [
        ("quay.io/coreos/proxy:v1", "r.example.com/proxy:v1", None),
        ("quay.io/a/b", "r.example.com/b", TagRules(("*",))),
    ],
    "ocync": [
        *(
            (
                "cgr.dev/chainguard/nginx",
                f"{host}.example.com/nginx",
                TagRules(("latest", "2.0-rc1", "*"), (PRE,), ">=1.0", 10),
            )
            for host in ("east", "west")
        ),
        (
            "cgr.dev/chainguard/py",
            "west.example.com/chainguard/py",
            TagRules(("*-slim",), ("*-debug", PRE)),
        ),
        ("cgr.dev/chainguard/go", "west.example.com/chainguard/go", TagRules(("/^a\\.b$/", "1.*"), (PRE,), "1")),
        ("cgr.dev/chainguard/id", "west.example.com/chainguard/id", TagRules(("a.b",), (PRE,))),
    ],
    "flux-mirror": [
        ("docker.io/stefanprodan/podinfo", "quay.io/my-org/podinfo", TagRules(semver="6.x", latest=2)),
        ("ghcr.io/a/all", "r.example.com/all", TagRules(latest=1_000_000)),
        ("ghcr.io/a/one", "r.example.com/one", TagRules(latest=1)),
        ("ghcr.io/a/releases", "r.example.com/releases", TagRules(("/^RELEASE/",))),
        ("ghcr.io/a/charts/app", "r.example.com/charts/app", TagRules(semver=">=1", latest=3)),
    ],
    "kpromo": [
        (f"gcr.io/staging/apple@{DIGEST}", f"{host}.gcr.io/prod/apple:{tag}", None)
        for tag in ("1.1", "latest")
        for host in ("us", "eu")
    ],
}
NOTES = {
    "regsync": ["creds", "ratelimit", "templates are not evaluated"],
    "skopeo": ["credentials", "has no tag"],
    "dregsy": ["relay", "interval", "auth", "repositories by pattern"],
    "kubernetes": ["variables are not filled in"],
    "compose": ["service own is built"],
    "state": ["timeout", "aws_s3_bucket.b mirrors no image"],
    "image-syncer": ["auth", "quay.io/coreos/default:1 goes to image-syncer's default", "quay.io/coreos/odd:1"],
    "image-syncer alone": [],
    "ocync": [
        *(
            "head_first",
            "min_tags",
            "a range includes no version with a suffix",
            "include x-*",
            "2.0-rc1 is excluded",
            "artifacts: exclude",
        ),
        *("chainguard/go was left out", "chainguard/node was left out"),
    ],
    "flux-mirror": [
        "ghcr.io/a/unclear was left out: its verify is not understood",
        "a/nightly was left out",
        "a/dates was left out",
        "chart podinfo",
        "hosts",
    ],
    "kpromo": ["service-account", "has no tag"],
}


def images_in(path: Path) -> list[ImageEntry]:
    """The entries of a file that has no folders."""
    return [entry for entry in read_entries(path, {}) if isinstance(entry, ImageEntry)]


def adopt(tmp_path: Path, name: str, *options: str) -> Finished:
    file = tmp_path / f"{name}.yaml"
    file.write_text(FILES[name])
    to = ["--to", "m.example.com/x"] if name in ("skopeo", "kubernetes", "compose") else []
    return imagesync("adopt", str(file), *to, *options)


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_taken_over(tmp_path: Path, name: str) -> None:
    """What is printed is an images.yaml that means what the other tool's file does."""
    finished = adopt(tmp_path, name)
    assert finished.code == 0, finished.err
    images = tmp_path / "images.yaml"
    images.write_text(finished.out)
    found = [
        (entry.source.name if entry.tags else str(entry.source), entry.destination, entry.tags)
        for entry in images_in(images)
    ]
    assert [(source, to.name if tags else str(to), tags) for source, to, tags in found] == ADOPTED[name]


@pytest.mark.parametrize("name", FILES)
def test_what_is_left_behind_is_said(tmp_path: Path, name: str) -> None:
    """Whatever could not be carried over is named on stderr, with its line where there is one."""
    said = adopt(tmp_path, name).err
    assert [note for note in NOTES[name] if note not in said] == []


def test_what_is_for_several_places_is_one_entry(tmp_path: Path) -> None:
    """A file with groups of targets becomes entries with lists, so that each source is read once."""
    images = tmp_path / "images.yaml"
    images.write_text(adopt(tmp_path, "ocync").out)
    assert "# from an ocync file\n" in images.read_text()
    east, west, python, *_ = images_in(images)
    assert (east.item, west.item, python.item) == (1, 1, 2)
    assert (east.selection.referrer_types, python.selection.referrers) == (("application/spdx+json",), False)
    images.write_text(adopt(tmp_path, "flux-mirror").out)
    podinfo, every, *_ = images_in(images)
    assert podinfo.selection.referrers
    assert [each.replacing and each.replacing.overwrite for each in (podinfo, every)] == ["never", "always"]


def test_a_whole_registry_is_a_folder(tmp_path: Path) -> None:
    """regsync's type registry becomes a folder with its rules; with rules for repositories it is left out."""
    steps: list[dict[str, Any]] = [
        {"type": "registry", "source": "ghcr.io", "target": f"r.example.com/{name}"} for name in "aab"
    ]
    steps += [{"type": "registry", "source": "quay.io", "target": "r.example.com/a"}]
    steps += [{"type": "registry", "source": "quay.io", "target": "r.example.com/c", "repos": {"allow": ["a"]}}]
    steps[2]["tags"] = {"allow": ["1.*"]}
    file, images = tmp_path / "regsync.json", tmp_path / "images.yaml"
    file.write_text(json.dumps({"version": 1, "sync": steps}))
    finished = imagesync("adopt", str(file))
    images.write_text(finished.out)
    read = [entry for entry in read_entries(images, {}) if isinstance(entry, FolderEntry)]
    assert [(each.name, str(each.destination), each.model.tags) for each in read] == [
        ("ghcr.io/**", "r.example.com/a", TagRules(("*",))),
        ("ghcr.io/**", "r.example.com/b", TagRules(("/^(?:1.*)$/",))),
    ]
    assert "quay.io/** was left out: r.example.com/a is to hold ghcr.io/**" in finished.err
    assert "rules for repositories" in finished.err
    modules = imagesync("adopt", "--as", "modules", str(file))
    assert (modules.code, modules.err.count("name each repository")) == (0, 2)


def test_modules_say_what_they_cannot(tmp_path: Path) -> None:
    """What modules have for all images alone, or not at all, is noted."""
    assert "overwrite left out" in adopt(tmp_path, "flux-mirror", "--as", "modules").err
    finished = adopt(tmp_path, "ocync", "--as", "modules")
    assert "referrers of every type" in finished.err
    assert finished.out.count("referrers = true") == 2


def test_a_thin_manifest_names_the_other_file(tmp_path: Path) -> None:
    """The images of a kpromo manifest alone are an error that says what belongs to them."""
    file = tmp_path / "images.yaml"
    file.write_text(f"- name: apple\n  dmap: {{'{DIGEST}': ['1']}}\n")
    finished = imagesync("adopt", str(file))
    assert finished.code == 2
    assert "promoter-manifest.yaml" in finished.err


def test_a_default_registry_is_the_target(tmp_path: Path) -> None:
    """image-syncer's rules without a destination go below --to, by tag, by tags, and whole."""
    rules = {"quay.io/a/b:1": "", "quay.io/a/c:1,2": "", "quay.io/a/d": ""}
    file, images = tmp_path / "rules.json", tmp_path / "images.yaml"
    file.write_text(json.dumps(rules))
    images.write_text(imagesync("adopt", "--to", "m.example.com/x", str(file)).out)
    assert [(each.destination.name, each.tags) for each in images_in(images)] == [
        ("m.example.com/x/a/b", None),
        ("m.example.com/x/a/c", TagRules(("1", "2"))),
        ("m.example.com/x/a/d", TagRules(("*",))),
    ]


@pytest.mark.parametrize("destination", [{"r.io/b": 1}, ["r.io/b", {"r.io/c": 1}], [["r.io/b"]]])
def test_a_destination_that_is_no_text_is_not_the_default(tmp_path: Path, destination: object) -> None:
    """A rule of image-syncer whose destination is not understood is left out, not taken for one that has none."""
    file = tmp_path / "rules.json"
    rules = {"quay.io/a/b:1": destination, "quay.io/a/c:1": ["", "r.io/c"]}
    file.write_text(json.dumps({"images": rules}))
    finished = imagesync("adopt", "--to", "m.example.com", str(file))
    assert "quay.io/a/b:1 was left out: its destination is not understood" in finished.err
    assert finished.out.splitlines()[3:] == [
        "  - source: quay.io/a/c:1",
        '    destination: ["m.example.com/a/c:1", "r.io/c:1"]',
    ]


def test_platforms_and_referrers_come_along(tmp_path: Path) -> None:
    """An entry keeps its platform, and the defaults of the file hold for it."""
    images = tmp_path / "images.yaml"
    images.write_text(adopt(tmp_path, "regsync").out)
    first, second, _ = images_in(images)
    assert ([str(p) for p in first.selection.platforms], first.selection.referrers) == (["linux/amd64"], True)
    assert second.selection.platforms == ()


def test_modules_have_each_image(tmp_path: Path) -> None:
    """As modules, every entry is in the map under its destination, with its platforms, referrers and rules."""
    finished = adopt(tmp_path, "regsync", "--as", "modules")
    assert [line.strip() for line in finished.out.splitlines() if " = { source = " in line] == [
        '"registry.example.com/busybox:1.36" = '
        '{ source = "busybox:1.36", platforms = ["linux/amd64"], referrers = true }',
        '"registry.example.com/app"          = { source = "ghcr.io/org/app", referrers = true, '
        r'tags = { include = ["/^(?:1\\..*)$/", "edge"], exclude = ["/^(?:.*-rc.*)$/"] } }',
        '"registry.example.com/db"           = { source = "ghcr.io/org/db", referrers = true, '
        'tags = { semver = ">=1 || <0.5" } }',
    ]


@pytest.mark.parametrize("name", ["regsync", "ocync", "kpromo", "flux-mirror"])
def test_modules_are_formatted(tmp_path: Path, name: str) -> None:
    """terraform fmt has nothing to change in a block."""
    out = adopt(tmp_path, name, "--as", "modules").out
    command = [peers.program("terraform"), "fmt", "-"]
    assert subprocess.run(command, input=out, capture_output=True, text=True, check=True).stdout == out


@pytest.mark.parametrize("text", ["", "a: b\n", "- a\n", '{"version": 4}', "images: []\n"])
def test_what_is_none_of_them_is_refused(tmp_path: Path, text: str) -> None:
    """A file of no known kind is an error that names the kinds."""
    file = tmp_path / "file.yaml"
    file.write_text(text)
    finished = imagesync("adopt", str(file))
    assert finished.code == 2
    assert "compose file" in finished.err


@pytest.mark.parametrize("name", ["skopeo", "kubernetes", "compose"])
def test_a_target_is_asked_for(tmp_path: Path, name: str) -> None:
    """A file that names only sources needs a word on where they go."""
    file = tmp_path / "file.yaml"
    file.write_text(FILES[name])
    finished = imagesync("adopt", str(file))
    assert finished.code == 2
    assert "--to" in finished.err


def test_odd_files_break_nothing(tmp_path: Path) -> None:
    """Parts of another kind than expected are left out with a note, or refuse the file with its line."""
    odd: list[dict[str, Any]] = [
        {"sync": [1, {"source": ["x"]}, {"type": "image", "source": "UP/per", "target": "x"}], "defaults": 3},
        {"tasks": [{"mappings": [7, {"from": "a"}]}, "x"]},
        {"services": {"a": None, "b": [1], "c": {"image": "UPPER"}}},
        {"apiVersion": 1, "kind": {}, "spec": {"containers": [{"image": 5}, "x"]}},
        {"terraform_version": "1", "resources": [None, {"instances": [{}]}]},
        {"docker.io": {"images": 3}},
        {"quay.io/a/b:": "x", "a/b@": ["y", 7, None], "/": "z", "a/b:,": "r.io/x"},
        {"images": {"a/b": {}, "a/c": [[]], "a/**": "r.io/x", "quay.io/a/**:1,2": "r.io/x"}},
        {"mappings": [7, {}, {"from": "a", "source": "s", "targets": ["t"]}], "registries": [1]},
        {
            "mappings": [{"from": "a", "source": "s", "targets": "t"}],
            "registries": {"s": {"url": "${X}"}, "t": {"url": "t.io"}},
        },
        {"apiVersion": "mirror.fluxcd.io/v1alpha1", "kind": 1, "artifacts": [1, {}], "charts": [2, {}]},
        {"registries": [1], "images": [{"name": "a", "dmap": 5}]},
        {"registries": [{"name": "a", "src": True}, {"name": "b"}], "images": [{"dmap": {"x": ["1", ["2"]]}}]},
    ]
    for number, document in enumerate(odd):
        file = tmp_path / f"{number}.json"
        file.write_text(json.dumps(document))
        finished = imagesync("adopt", str(file), "--to", "r.example.com")
        assert finished.code == 0 or (finished.code == 2 and f"{file}:1: " in finished.err), finished.err
        assert "bug" not in finished.err


STEP = "{source: docker.io/library/a, target: r.io/a, type: repository, tags: %s}"
FLUX = "{apiVersion: mirror.fluxcd.io/v1, artifacts: [{source: ghcr.io/a/b, destination: r.io/b, selector: %s}]}"
OCYNC = "{registries: {h: {url: h.io}, m: {url: m.io}}, mappings: [{from: a, source: h, targets: m, tags: %s}]}"
DREGSY = "{tasks: [{source: {registry: h.io}, target: {registry: m.io}, mappings: [{from: a, tags: %s}]}]}"


@pytest.mark.parametrize(
    ("form", "tags", "why"),
    [
        (f"{{sync: [{STEP}]}}", "[a]", "tags is a list, not a mapping"),
        (f"{{sync: [{STEP}]}}", "{allow: {a: b}}", "allow is a mapping, not a list"),
        (f"{{sync: [{STEP}]}}", "{deny: [[a]]}", "deny has what is no text"),
        (f"{{sync: [{STEP}]}}", "{semverRange: [null]}", "semverRange has what is no text"),
        (f"{{sync: [{STEP}]}}", "{newest: 3}", "tags: newest is not known"),
        (FLUX, "6.x", "selector is a text, not a mapping"),
        (FLUX, "{limit: few}", "limit is 'few', not a whole number"),
        (FLUX, "{newest: 3}", "selector: newest is not known"),
        (OCYNC, "[a]", "tags is a list, not a mapping"),
        (OCYNC, "{latest: -1}", "latest is '-1', not a whole number"),
        (OCYNC, "{semver: [1]}", "semver is a list, not a text"),
        (DREGSY, "{a: b}", "tags is a mapping, not a list"),
        (DREGSY, "[{semver: 1}]", "tags has what is no text"),
    ],
)
def test_rules_that_are_not_understood_pick_nothing(tmp_path: Path, form: str, tags: str, why: str) -> None:
    """An entry whose rules have another form than the tool's is left out with its line, and never copies all tags."""
    file = tmp_path / "file.yaml"
    file.write_text(f"# comment\n{form % tags}\n")
    finished = imagesync("adopt", str(file))
    assert (finished.code, "images: []" in finished.out) == (0, True), finished.out
    assert "line 2: " in finished.err
    assert f" was left out: {why}" in finished.err


def test_a_file_of_a_wrong_form_is_refused(tmp_path: Path) -> None:
    """A list that is none is an error with its line, not an empty images.yaml."""
    file = tmp_path / "regsync.yml"
    file.write_text("version: 1\nsync:\n  a: b\n")
    finished = imagesync("adopt", str(file))
    assert (finished.code, finished.out) == (2, "")
    assert f"{file}:3: sync is a mapping, not a list" in finished.err


def test_a_manifest_of_many_documents_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is taken and noted of one document is not read again for the next."""
    number, read = 100, list[str]()

    def counted(text: str) -> list[str]:
        read.append(text)
        return words_of(text)

    for module in (adopted, manifests):
        monkeypatch.setattr(module, "words_of", counted)
    pod = "apiVersion: v1\nkind: Pod\nspec: {containers: [{image: 'r.io/a:%d', args: ['--image=r.io/b:%d']}]}\n"
    file = tmp_path / "pods.yaml"
    file.write_text("---\n".join(pod % (each, each) for each in range(number)))
    finished = imagesync("adopt", str(file), "--to", "m.io")
    assert finished.err.count("looks like an image") == number
    assert len(read) <= 6 * number
