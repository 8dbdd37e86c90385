"""adopt: other tools' files become images.yaml or modules, and what is left behind is said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from imagesync_cli.batch.entries import read_entries
from imagesync_cli.batch.entry import ImageEntry
from imagesync_cli.values.tags.rules import TagRules
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
}
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
            TagRules(("1.36",), semver=">=1.31"),
        ),
        ("registry.hub.docker.com/library/alpine", "registry.example.com/library/alpine", TagRules(("*",))),
    ],
    "kubernetes": [
        ("docker.io/library/busybox:latest", "m.example.com/x/library/busybox:latest", None),
        ("ghcr.io/org/app:1.0", "m.example.com/x/org/app:1.0", None),
    ],
    "compose": [("docker.io/library/nginx:1.27", "m.example.com/x/library/nginx:1.27", None)],
    "state": [("docker.io/library/nginx:1.27", "registry.example.com/web:1.27", None)],
}
NOTES = {
    "regsync": ["creds", "ratelimit", "type registry", "templates are not evaluated"],
    "skopeo": ["credentials", "has no tag"],
    "dregsy": ["relay", "interval", "auth", "repositories by pattern", "both its patterns and semver"],
    "kubernetes": ["variables are not filled in"],
    "compose": ["service own is built"],
    "state": ["timeout", "aws_s3_bucket.b mirrors no image"],
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
        '"registry.example.com/app" = { source = "ghcr.io/org/app", referrers = true, '
        r'tags = { include = ["/^(?:1\\..*)$/", "edge"], exclude = ["/^(?:.*-rc.*)$/"] } }',
        '"registry.example.com/db" = { source = "ghcr.io/org/db", referrers = true, '
        'tags = { semver = ">=1 || <0.5" } }',
    ]


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
    """Parts of another kind than expected are passed over, and nothing raises."""
    odd: list[dict[str, Any]] = [
        {"sync": [1, {"source": ["x"]}, {"type": "image", "source": "UP/per", "target": "x"}], "defaults": 3},
        {"tasks": [{"mappings": [7, {"from": "a"}]}, "x"]},
        {"services": {"a": None, "b": [1], "c": {"image": "UPPER"}}},
        {"apiVersion": 1, "kind": {}, "spec": {"containers": [{"image": 5}, "x"]}},
        {"terraform_version": "1", "resources": [None, {"instances": [{}]}]},
        {"docker.io": {"images": 3}},
    ]
    for number, document in enumerate(odd):
        file = tmp_path / f"{number}.json"
        file.write_text(json.dumps(document))
        finished = imagesync("adopt", str(file), "--to", "r.example.com")
        assert finished.code == 0, finished.err
        assert "bug" not in finished.err
