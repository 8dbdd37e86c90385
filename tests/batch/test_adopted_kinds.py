"""adopt: whatever it prints is taken by sync --file, and every image string is taken or noted."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from imagesync_cli.batch.adopt.go_regex import python_regex
from imagesync_cli.batch.entries import read_entries
from imagesync_cli.batch.entry import ImageEntry
from imagesync_cli.look.trust.rules import IdentitySigner
from imagesync_cli.values.reference import RegistryReference
from imagesync_cli.values.regex import compile_regex
from imagesync_cli.values.tags.rules import TagRules
from tests.command import imagesync

TO = "m.example.com/x"
HEAD = "apiVersion: example.com/v1\nkind: Thing\n"
ZEROS = f"sha256:{'0' * 64}"
TAGS = ["1.2", "v1", "V1", "rc", "RC1", "1", "a-b", "abc", "latest", "x_y"]


def images_in(path: Path) -> list[ImageEntry]:
    """The entries of a file that has no folders."""
    return [entry for entry in read_entries(path, {}) if isinstance(entry, ImageEntry)]


def adopted(tmp_path: Path, content: str) -> tuple[list[tuple[str, str]], list[str]]:
    """What sync --file makes of what is printed, sources with destinations, and the notes."""
    file, images = tmp_path / "file.yaml", tmp_path / "images.yaml"
    file.write_text(content)
    finished = imagesync("adopt", "--to", TO, str(file))
    assert finished.code == 0, finished.err
    images.write_text(finished.out)
    entries = images_in(images)
    told = [
        (e.source.name if e.tags else str(e.source), e.destination.name if e.tags else str(e.destination))
        for e in entries
    ]
    return told, finished.err.splitlines()[:-1]


# How each kind names images: those that are taken, and words of what is noted.
MANIFESTS = {
    "Argo": ("spec: {templates: [{container: {image: 'a/b:1'}}, {script: {image: 'a/c:1'}}]}", ["a/b:1", "a/c:1"], []),
    "Tekton": (
        "spec: {stepTemplate: {image: 'a/b:1'}, steps: [{image: 'a/c:1'}], sidecars: [{image: 'a/d:1'}],"
        " params: [{name: BUILDER_IMAGE, default: 'a/e:1'}]}",
        ["a/b:1", "a/c:1", "a/d:1"],
        ["a/e:1"],
    ),
    "Prometheus": ("spec: {image: 'a/b:v2', thanos: {image: 'a/c:1'}}", ["a/b:v2", "a/c:1"], []),
    "an older Prometheus": ("spec: {baseImage: a/b, version: v2.1}", ["a/b:v2.1"], []),
    "Helm's values": (
        "spec: {values: {image: {registry: ghcr.io, repository: a/b, tag: '1'}, web: {image: {repository: a/c}}}}",
        ["ghcr.io/a/b:1"],
        ["a/c: its tag"],
    ),
    "an operator": (
        "spec: {containers: [{image: 'a/b:1', env: [{name: RELATED_IMAGE_DB, value: 'a/c:1'}],"
        " args: ['--config-reloader-image=a/d:1']}]}",
        ["a/b:1"],
        ["a/c:1", "a/d:1"],
    ),
    "a volume": ("spec: {volumes: [{image: {reference: 'a/b:1'}}]}", ["a/b:1"], []),
    "a digest": (
        f"spec: {{image: 'a/b@sha256:{'0' * 64}', baseImage: 'a/c:1@sha256:{'0' * 64}'}}",
        ["a/c:1@"],
        ["a/b@"],
    ),
    "CloudNativePG, kubeadm": (
        "spec: {imageName: 'postgres:16', imageRepository: registry.k8s.io}\nimages: ['a/b:1', 'https://x/y:1']",
        [],
        ["postgres:16", "a/b:1"],
    ),
    "files in a ConfigMap": (
        'data: {a: "spec:\\n  image: r.example.com/a:1\\n", b: \'{"image":"r.example.com:5000/b@' + ZEROS + "\"}'}",
        [],
        ["r.example.com/a:1", f"r.example.com:5000/b@{ZEROS}"],
    ),
    "an annotation, a variable, an argument": (
        "metadata: {annotations: {proxy: 'r.example.com/a:1'}}\nspec: {image: 'r.example.com/b:1',"
        " env: [{name: X, value: '3.6=r.example.com/c:1'}], args: [--agent, 'r.example.com/d:1'],"
        " was: 'r.example.com/b:1', url: 'https://r.example.com/e:1', path: /etc/a.b/c:1}",
        ["r.example.com/b:1"],
        ["r.example.com/a:1", "r.example.com/c:1", "r.example.com/d:1"],
    ),
    "what is none": (
        "spec: {image: 'No Image', osImage: 'Ubuntu 22.04', imagePullPolicy: Always}",
        [],
        ["No Image", "Ubuntu"],
    ),
    "a kustomization": (
        "images: [{name: a, newName: 'ghcr.io/a/b', newTag: '2'}, {name: a/c, newTag: 1.10}, {name: a/d}]",
        ["ghcr.io/a/b:2", "a/c:1.10"],
        ["a/d"],
    ),
}


@pytest.mark.parametrize("kind", MANIFESTS)
def test_every_image_is_taken_or_noted(tmp_path: Path, kind: str) -> None:
    """Wherever a manifest names an image, it is in the result, or a note says that it is not."""
    content, taken, noted = MANIFESTS[kind]
    images, notes = adopted(tmp_path, ("" if "kustomization" in kind else HEAD) + content + "\n")
    found = [source.removeprefix("docker.io/") for source, _ in images]
    assert len(found) == len(taken)
    assert [each for each, wanted in zip(found, taken, strict=True) if not each.startswith(wanted)] == []
    assert [each for each in noted if not any(each in note for note in notes)] == []
    assert not [note for note in notes if "https:" in note or "/etc/" in note or "r.example.com/b:1" in note]


def test_what_is_in_other_files_is_noted(tmp_path: Path) -> None:
    """A kustomization, or a compose file, that takes in others says so."""
    for content, named in (
        ("kind: Kustomization\nbases: [a]\ncomponents: [b]\nhelmCharts: [{name: c}]", "bases components helmCharts"),
        ("include: [a.yml]\nservices: {}", "include"),
    ):
        _, notes = adopted(tmp_path, content)
        assert [each for each in named.split() if not any(each in note for note in notes)] == []


def test_two_hosts_keep_their_images_apart(tmp_path: Path) -> None:
    """Two images that differ by their host alone never become one destination; the second is told where it goes."""
    content = "services: {a: {image: 'ghcr.io/team/app:1'}, b: {image: 'quay.io/team/app:1'}, c: {image: 'team/app:1'},"
    images, notes = adopted(
        tmp_path, content + " d: {image: 'r.example:5000/team/app:1'}, e: {image: 'ghcr.io/team/app:1'}}\n"
    )
    assert images == [
        ("ghcr.io/team/app:1", f"{TO}/team/app:1"),
        ("quay.io/team/app:1", f"{TO}/quay.io/team/app:1"),
        ("docker.io/team/app:1", f"{TO}/docker.io/team/app:1"),
        ("r.example:5000/team/app:1", f"{TO}/r.example-5000/team/app:1"),
    ]
    assert len([note for note in notes if "is to hold ghcr.io/team/app:1" in note]) == 3
    file = tmp_path / "file.yaml"
    assert imagesync("adopt", "--to", TO, "--as", "modules", str(file)).out.count(" = { source = ") == 4


def test_two_sources_for_one_target_are_noted(tmp_path: Path) -> None:
    """A file that names one target twice gives one entry; sync --file would refuse both."""
    steps = [{"type": "image", "source": f"{name}:1", "target": "r.example.com/a:1"} for name in ("a", "b")]
    images, notes = adopted(tmp_path, json.dumps({"version": 1, "sync": steps}))
    assert images == [("docker.io/library/a:1", "r.example.com/a:1")]
    assert "b:1 was left out" in " ".join(notes)


def test_platforms_of_one_image_are_joined(tmp_path: Path) -> None:
    """An image that two services want for two platforms is one entry with both."""
    content = "services: {a: {image: 'app:1', platform: linux/amd64}, b: {image: 'app:1', platform: linux/arm64}}\n"
    adopted(tmp_path, content)
    (entry,) = images_in(tmp_path / "images.yaml")
    assert [str(each) for each in entry.selection.platforms] == ["linux/amd64", "linux/arm64"]


REGSYNC_TAGS = {
    "an expression that is none": ({"allow": ["("]}, "is not a regular expression"),
    "a word of Go's alone": ({"allow": ["\\p{Greek}"]}, "is not a regular expression"),
    "a range with !=": ({"semverRange": [">=1, !=1.3"]}, "not a range"),
}


@pytest.mark.parametrize("case", REGSYNC_TAGS)
def test_rules_that_are_not_understood_are_noted(tmp_path: Path, case: str) -> None:
    """A rule that sync --file would refuse takes its entry with it, and is said: no entry wants more than it did."""
    tags, why = REGSYNC_TAGS[case]
    step = {"type": "repository", "source": "ghcr.io/a/b", "target": "r.example.com/b", "tags": tags}
    images, notes = adopted(tmp_path, json.dumps({"version": 1, "sync": [step]}))
    assert images == []
    assert why in " ".join(notes)


def test_a_tag_that_one_of_regsyncs_sets_picks(tmp_path: Path) -> None:
    """tagSets are rules beside each other, and in one a tag must meet all: none of them becomes every tag."""
    sets = [{"allow": ["latest"]}, {"allow": ["edge", "v.*"], "semverRange": [">=1 <2", "~3"]}]
    step = {"type": "repository", "source": "r.example.com/a", "target": "m.example.com/a", "tagSets": sets}
    file = tmp_path / "images.yaml"
    (tmp_path / "regsync.json").write_text(json.dumps({"sync": [step, {**step, "tags": {"deny": ["x"]}}]}))
    file.write_text(imagesync("adopt", str(tmp_path / "regsync.json")).out)
    latest, ranged, rest = (entry.tags for entry in images_in(file))
    assert latest == TagRules(("latest",))
    assert ranged == TagRules(("/^(?:edge)$/", "/^(?:v.*)$/"), semver=">=1 <2 || ~3")
    assert rest == TagRules((), ("x",))


@pytest.mark.parametrize(
    ("given", "referrers", "said"),
    [
        ({"referrers": True}, "referrers: true", ""),
        ({"referrers": True, "referrerFilters": [{"artifactType": "a/b"}]}, 'referrers: ["a/b"]', ""),
        ({"referrers": True, "referrerFilters": [{"annotations": {"a": "b"}}]}, "referrers: true", "referrerFilters"),
        ({"referrers": False, "digestTags": True}, "referrers: true", ""),
        ({"targetTag": "x-{{.Ref.Tag}}"}, "images: []", "targetTag renames its tags"),
    ],
)
def test_what_regsync_copies_beside_images(tmp_path: Path, given: dict[str, object], referrers: str, said: str) -> None:
    """Filters by type are taken over; tags that get other names are left out rather than copied under their own."""
    step = {"type": "repository", "source": "r.example.com/a", "target": "m.example.com/a", **given}
    (tmp_path / "regsync.json").write_text(json.dumps({"sync": [step]}))
    finished = imagesync("adopt", str(tmp_path / "regsync.json"))
    assert referrers in finished.out
    assert said in finished.err


@pytest.mark.parametrize(
    ("subject", "matched"),
    [
        ("^https://github\\.com/org/.*$", "https://github.com/org/a"),
        ("github\\.com/org", "https://github.com/org/a x-github.com/org-2"),
        ("^a@b|^c@d$", "a@bc c@d a@b"),
        ("(?i)^A@B$", "a@b"),
    ],
)
def test_who_must_have_signed_for_flux_mirror(tmp_path: Path, subject: str, matched: str) -> None:
    """An artifact that is verified there is verified here, by the same identities; as modules it is left out."""
    identities = [{"issuer": "https://issuer", "subject": subject}]
    verify = {"provider": "cosign", "minAge": "48h", "matchOIDCIdentity": identities}
    artifact = {"source": "r.example.com/a", "destination": "m.example.com/a", "selector": {}, "verify": verify}
    flux, file = tmp_path / "flux.json", tmp_path / "images.yaml"
    flux.write_text(json.dumps({"apiVersion": "mirror.fluxcd.io/v1alpha1", "kind": "Config", "artifacts": [artifact]}))
    file.write_text(imagesync("adopt", str(flux)).out)
    (entry,) = images_in(file)
    assert (entry.minimum_age and entry.minimum_age.least) == timedelta(hours=48)
    assert entry.trust is not None
    ((signer,),) = (rule.signers for rule in entry.trust.rules)
    assert isinstance(signer, IdentitySigner)
    assert signer.matches is not None
    texts = ["https://github.com/org/a", "x-github.com/org-2", "https://githubXcom/org/a", "a@bc", "xa@b", "c@d", "a@b"]
    assert [text for text in texts if signer.matches(text)] == matched.split()
    finished = imagesync("adopt", "--as", "modules", str(flux))
    assert "minimum_age and trust: for a whole module" in finished.err
    assert "r.example.com" not in finished.out


@pytest.mark.parametrize(
    ("tags", "sets"),
    [
        ([], [TagRules(("*",))]),
        (
            ["semver: >=1.31.0 <1.31.9", "regex: 1\\.26\\.[0-9]-glibc", "latest", "semver: >=2"],
            [TagRules(("/1\\.26\\.[0-9]-glibc/", "latest")), TagRules(semver=">=1.31.0 <1.31.9 || >=2")],
        ),
        (["regex: !-rc", "a"], [TagRules((), ("/-rc/",)), TagRules(("a",))]),
        (["1.0", "keep: latest 3"], []),
    ],
)
def test_a_tag_that_one_of_dregsys_items_picks(tmp_path: Path, tags: list[str], sets: list[TagRules]) -> None:
    """Items are rules beside each other; with one that is not understood the mapping is left out, not copied whole."""
    sides = {"source": {"registry": "r.example.com"}, "target": {"registry": "m.example.com"}}
    dregsy, file = tmp_path / "dregsy.json", tmp_path / "images.yaml"
    dregsy.write_text(json.dumps({"tasks": [{**sides, "mappings": [{"from": "a", "tags": tags}]}]}))
    file.write_text(imagesync("adopt", str(dregsy)).out)
    assert [entry.tags for entry in images_in(file)] == sets


@pytest.mark.parametrize(
    ("word", "is_true"),
    [("true", True), ("Yes", True), ("on", True), ("'true'", True), ("'yes'", False), ("no", False)],
)
def test_what_yaml_takes_for_true(tmp_path: Path, word: str, is_true: bool) -> None:
    """Tools written in Go take yes and on for true."""
    file = tmp_path / "regsync.yaml"
    file.write_text(f"sync: [{{type: image, source: 'a:1', target: 'r.example.com/a:1', referrers: {word}}}]")
    assert ("referrers: true" in imagesync("adopt", str(file)).out) == is_true


def test_what_is_not_understood_is_not_every_tag(tmp_path: Path) -> None:
    """skopeo takes one expression a repository: a list of them, or none, is noted and copies nothing."""
    file = tmp_path / "skopeo.yaml"
    rules = {"images-by-tag-regex": {"a": ["^1"], "b": "", "c": None}, "images": {"d": {"x": "y"}}}
    file.write_text(json.dumps({"r.example.com": {**rules, "images-by-semver": {"e": "", "f": [">=1"]}}}))
    finished = imagesync("adopt", "--to", TO, str(file))
    assert "images: []" in finished.out
    assert [name for name in "abcdef" if f"r.example.com/{name} was left out" not in finished.err] == []


@pytest.mark.parametrize(
    ("target", "destination"),
    [
        ('{{ env "REGISTRY" }}/a', "1.example.com/a"),
        ('r.example.com/{{env "PROJECT"}}/a', "r.example.com/p/a"),
        ('{{ file "/run/host" }}/a', None),
    ],
)
def test_regsyncs_environment(tmp_path: Path, target: str, destination: str | None) -> None:
    """The template for a variable becomes one of images.yaml; others are noted."""
    step = {"type": "repository", "source": "r.example.com/a", "target": target, "tags": {"allow": ["1"]}}
    file = tmp_path / "images.yaml"
    (tmp_path / "regsync.json").write_text(json.dumps({"sync": [step]}))
    file.write_text(imagesync("adopt", str(tmp_path / "regsync.json")).out)
    entries = read_entries(file, {"REGISTRY": "1.example.com", "PROJECT": "p"}) if destination else images_in(file)
    names = [entry.destination.name for entry in entries if isinstance(entry, ImageEntry)]
    assert names == ([destination] if destination else [])


def test_variables_stay_variables(tmp_path: Path) -> None:
    """What ocync takes from the environment, sync takes from there too; a default is no variable here."""
    urls = {
        "hub": "docker.io",
        "a": "${ACCOUNT}.example.com",
        "b": "${OTHER_1}.example.com",
        "c": "${X:-c}.example.com",
    }
    content = {
        "registries": {name: {"url": url} for name, url in {**urls, "hub": "docker.io"}.items()},
        "mappings": [{"from": "library/nginx", "source": "hub", "targets": ["a", "b", "c"], "tags": {"glob": "1.*"}}],
    }
    ocync, file = tmp_path / "ocync.json", tmp_path / "images.yaml"
    ocync.write_text(json.dumps(content))
    finished = imagesync("adopt", str(ocync))
    file.write_text(finished.out)
    entries = read_entries(file, {"ACCOUNT": "1234", "OTHER_1": "5678"})
    hosts = [entry.destination.host for entry in entries if isinstance(entry.destination, RegistryReference)]
    assert hosts == ["1234.example.com", "5678.example.com"]
    assert '"${ACCOUNT}.example.com/library/nginx"' in finished.out
    assert "'${X:-c}' is not a variable" in finished.err
    modules = imagesync("adopt", "--as", "modules", str(ocync))
    assert ("ACCOUNT" in modules.out, "has variables, modules have none" in modules.err) == (False, True)


def test_images_of_docker_hub_for_image_syncer(tmp_path: Path) -> None:
    """A source without a slash is one of Docker Hub's, if it goes to a registry."""
    images, notes = adopted(
        tmp_path, "nginx:1.2: r.example.com/nginx\nalpine: ['r.example.com:5000/a', 'lan:5000/b']\n"
    )
    assert images == [
        ("docker.io/library/nginx:1.2", "r.example.com/nginx:1.2"),
        ("docker.io/library/alpine", "r.example.com:5000/a"),
        ("docker.io/library/alpine", "lan:5000/b"),
    ]
    assert notes == []
    for other in ("name: a/b\nversion: '1'\n", "base: r.example.com/nginx\n"):
        (tmp_path / "other.yaml").write_text(other)
        assert imagesync("adopt", str(tmp_path / "other.yaml")).code == 2


def test_regsync_means_what_it_says(tmp_path: Path) -> None:
    """A target without a tag is :latest there; a repository with a tag and this machine's platform are noted."""
    steps = [
        {"type": "image", "source": "busybox:1.36", "target": "r.example.com/busybox"},
        {"type": "image", "source": "alpine:3", "target": "r.example.com/alpine:3", "platform": "local"},
        {"type": "repository", "source": "ghcr.io/a/b:1", "target": "r.example.com/b"},
    ]
    images, notes = adopted(tmp_path, json.dumps({"version": 1, "sync": steps}))
    assert images == [
        ("docker.io/library/busybox:1.36", "r.example.com/busybox:latest"),
        ("docker.io/library/alpine:3", "r.example.com/alpine:3"),
    ]
    assert [word for word in ("platform local", "ghcr.io/a/b:1 was left out") if word not in " ".join(notes)] == []


@pytest.mark.parametrize(
    ("go", "matched"),
    [
        ("(?i)^rc\\d*$", "rc RC1"),
        ("^v\\d\\z", "v1"),
        ("^\\pL+$", "rc abc latest"),
        ("^[\\p{Lu}]+", "V1 RC1"),
        ("^[[:digit:]]+$", "1"),
        ("^[^[:alpha:]]+$", "1.2 1"),
        ("\\Q.2\\E", "1.2"),
        ("^(?<n>[[:alnum:]_]+)$", "v1 V1 rc RC1 1 abc latest x_y"),
        ("[]-]", "a-b"),
        ("^\\[?1", "1.2 1"),
    ],
)
def test_go_expressions_mean_the_same(go: str, matched: str) -> None:
    """What Go's regexp writes otherwise than Python's re still matches the same tags."""
    matches = compile_regex(python_regex(go))
    assert [tag for tag in TAGS if matches(tag)] == matched.split()


def test_compose_merges_what_is_below_an_anchor(tmp_path: Path) -> None:
    """A service takes what << brings in, what it says itself goes first, and what is printed loads."""
    content = (
        "x-base: &base {image: 'base:1', platform: linux/amd64}\nx-more: &more {image: 'more:1'}\n"
        "services: {a: {<<: *base}, b: {<<: *base, image: 'own:1'}, c: {<<: [*more, *base]}}\n"
    )
    images, notes = adopted(tmp_path, content)
    assert [source for source, _ in images] == [f"docker.io/library/{name}:1" for name in ("base", "own", "more")]
    assert notes == []


OWN = """
defaults: {platforms: [linux/amd64], tags: ["1.*"], prune: true}
images:
- {source: r.io/a, destination: [m.io/a, n.io/a], keep_as: "{tag}-{date}-{digest}"}
- {source: "r.io/b:1.10", destination: m.io/b, platforms: []}
- {source: r.io/c, destination: m.io/c, as: "{tag}-c"}
- {source: r.io/d, destination: m.io/d, tags: {include: [1.10, 010], latest: 2}, referrers: true}
- {source: "r.io/e:1", dest: m.io/e}
- {source: "r.io/g:1", destination: m.io/g, platforms: [linux/arm64], min_age_hours: 48}
- {source: "r.io/h:1", destination: m.io/h, min_age_hours: 1.5, keep_last: 3, keep_as: "{tag}-{date}-{digest}"}
- {source: "r.io/f/**", destination: "${M}/f", tags: ["*"]}
"""


def test_our_own_file(tmp_path: Path) -> None:
    """An images.yaml comes into modules with its defaults; what modules do otherwise is noted."""
    file = tmp_path / "images.yaml"
    file.write_text(OWN)
    finished = imagesync("adopt", "--as", "modules", str(file))
    assert finished.code == 0
    entries = [" ".join(line.split()) for line in finished.out.splitlines() if " = { " in line]
    rules = 'source = "r.io/a", platforms = ["linux/amd64"], tags = { include = ["1.*"] }'
    assert entries == [
        f'"m.io/a" = {{ {rules} }}',
        f'"n.io/a" = {{ {rules} }}',
        '"m.io/b:1.10" = { source = "r.io/b:1.10" }',
        '"m.io/d" = { source = "r.io/d", platforms = ["linux/amd64"], referrers = true,'
        ' tags = { include = ["1.10", "010"], latest = 2 } }',
        '"m.io/g:1" = { source = "r.io/g:1", platforms = ["linux/arm64"] }',
        '"m.io/h:1" = { source = "r.io/h:1", platforms = ["linux/amd64"] }',
    ]
    for words in (
        "r.io/a: keep_as left out",
        "r.io/c left out: as",
        "r.io/g:1: min_age_hours left out",
        "'dest' is not known",
        "r.io/f/** left out",
    ):
        assert words in finished.err


def test_one_platform_in_our_own_file(tmp_path: Path) -> None:
    """A platform that stands there without brackets is one, and not each of its letters."""
    file = tmp_path / "images.yaml"
    file.write_text("images: [{source: 'r.io/a:1', destination: m.io/a, platforms: linux/arm64}]")
    finished = imagesync("adopt", str(file))
    assert "platforms: [linux/arm64]" in finished.out.replace('"', "")
    assert "left out" not in finished.err


def test_our_own_file_stays_what_it_is(tmp_path: Path) -> None:
    """As an images.yaml it says the same, each entry for itself, and asks for a trusted signer where it did."""
    file, again = tmp_path / "images.yaml", tmp_path / "again.yaml"
    file.write_text(f"trust: {{rules: [{{sources: ['*'], signers: [{{identity: a, issuer: b}}]}}]}}\n{OWN.lstrip()}")
    text = file.read_text().replace('- {source: "r.io/e:1", dest: m.io/e}\n', "").replace("${M}", "o.io")
    file.write_text(text)
    again.write_text(imagesync("adopt", str(file)).out)
    same = [repr(replace(entry.model, line=0, item=0)) for entry in read_entries(file, {})]
    assert [repr(replace(entry.model, line=0, item=0)) for entry in read_entries(again, {})] == same


def test_a_large_file_takes_a_time_that_grows_with_it(tmp_path: Path) -> None:
    """Twice as many services take about twice as long, not four times."""

    def took(count: int) -> float:
        file = tmp_path / f"{count}.yaml"
        file.write_text("services:\n" + "".join(f" s{n}: {{image: 'a{n}'}}\n" for n in range(count)))
        started = time.process_time()
        assert imagesync("adopt", "--to", TO, str(file)).code == 0
        return time.process_time() - started

    took(100)
    assert took(8000) < 8 * took(2000)


def test_manifests_come_from_stdin() -> None:
    """What another program prints is adopted without a file between."""
    finished = imagesync("adopt", "--to", TO, "-", stdin=HEAD + "spec: {image: 'app:1'}\n")
    assert (finished.code, "source: app:1" in finished.out) == (0, True)


@pytest.mark.parametrize(
    ("target", "text", "said"),
    [
        ("https://r.example.com", "", "'https://r.example.com' is not a registry"),
        ("r.example.com/Mirror", "", "'r.example.com/Mirror' is not a registry"),
        ("mirror", "", "'mirror' is not a registry"),
        (None, "", "stdin does not say where its images go"),
        (TO, None, "stdin: there is nothing in it"),
        (TO, "a: b\n", "stdin has no format"),
    ],
)
def test_a_call_that_cannot_be_right_adopts_nothing(target: str | None, text: str | None, said: str) -> None:
    """A target that is no place in a registry fails the call, not each image; errors call stdin by its name."""
    options = [] if target is None else ["--to", target]
    stdin = "" if text is None else text or f"{HEAD}spec: {{image: 'app:1'}}\n"
    finished = imagesync("adopt", *options, "-", stdin=stdin)
    assert (finished.code, finished.out) == (2, "")
    assert said in finished.err


@pytest.mark.parametrize(("limit", "latest"), [("7", 7), ("007", 7), ("9" * 5000, None)])
def test_a_number_is_taken_or_noted(tmp_path: Path, limit: str, latest: int | None) -> None:
    """A number that no file of images takes is noted with its image, however long it is."""
    flux = {
        "apiVersion": "mirror.fluxcd.io/v1alpha1",
        "kind": "Config",
        "artifacts": [{"source": "a.example.com/a", "destination": "b.example.com/a", "selector": {"limit": limit}}],
    }
    mapping = {"from": "a", "source": "a", "targets": ["b"], "tags": {"latest": limit}}
    hosts = {"a": {"url": "a.example.com"}, "b": {"url": "b.example.com"}}
    for document in (flux, {"registries": hosts, "mappings": [mapping]}):
        file = tmp_path / "file.json"
        file.write_text(json.dumps(document))
        finished = imagesync("adopt", str(file))
        assert finished.code == 0, finished.err
        assert (f"latest: {latest}" in finished.out) == bool(latest)
        assert ("a.example.com/a was left out" in finished.err) == (latest is None)
