"""sync --referrers: what comes along, what does not, in which order, and what it costs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from imagesync_cli.look import referrers
from tests.command import Finished, imagesync
from tests.embedded_registry import MANNERS, EmbeddedRegistry, Fault, Request, Response
from tests.embedded_registry.faults import refusal
from tests.embedded_registry.images import (
    OCI_INDEX,
    OCI_MANIFEST,
    Image,
    describe,
    image,
    index_of,
    listing,
    platform_of,
    referrer,
    to_json,
)
from tests.embedded_registry.state import Manifest, Repository
from tests.embedded_registry.wire import json_response
from tests.referrers.artifacts import (
    ATTESTED,
    DSSE,
    NOTATION,
    PLAIN,
    SIGSTORE_BUNDLE,
    SPDX,
    UPSTREAMS,
    Upstream,
    about,
    child,
    cosign,
    list_of,
)

WITHOUT_API = MANNERS["distribution-3"]


@pytest.fixture(params=["oci-1.1", "distribution-3"])
def registry(request: pytest.FixtureRequest) -> Iterator[EmbeddedRegistry]:
    """A destination with the Referrers API, and one without."""
    with EmbeddedRegistry(MANNERS[request.param]) as running:
        yield running


def sync(source: EmbeddedRegistry, registry: EmbeddedRegistry, *options: str, code: int = 0) -> Finished:
    done = imagesync("sync", "--referrers", f"{source.host}/up/app:1", f"{registry.host}/team/app:1", *options)
    assert done.code == code, done.err
    return done


def entries(down: Repository, subject: Image) -> list[str]:
    """The digests in the list under the subject's tag."""
    found = down.find(about(subject))
    return found.children if found else []


@pytest.mark.parametrize("made", UPSTREAMS)
def test_the_tag_comes_last(
    source: EmbeddedRegistry, up: Repository, registry: EmbeddedRegistry, down: Repository, made: str
) -> None:
    """At no moment is the image there by its tag without all that is attached to it, named where it is looked for."""
    upstream = UPSTREAMS[made]()
    upstream.seed(up)
    lists = {tag: set(one.children) for tag, one in upstream.lists().items()}
    seen = []

    def watch(_: Request) -> None:
        with registry.state.lock:
            if "1" in down.tags:
                named = registry.manner.referrers or all(
                    set(down.manifests[down.tags[tag]].children) == listed for tag, listed in lists.items()
                )
                seen.append(
                    named and upstream.referrers <= down.manifests.keys() and upstream.tagged.keys() <= down.tags.keys()
                )

    registry.fault = watch
    sync(source, registry)
    assert seen
    assert all(seen)


def test_counts(source: EmbeddedRegistry, up: Repository, registry: EmbeddedRegistry) -> None:
    """The report says in words what is attached: on stderr and in --json, whether it was copied now or before."""
    kinds = [NOTATION, SIGSTORE_BUNDLE, "application/spdx+json", "application/vnd.in-toto+json", "application/x.other"]
    attached = [(PLAIN, referrer(PLAIN, kind)) for kind in kinds]
    tagged = {about(PLAIN, ".sig"): cosign(PLAIN), about(PLAIN, ".att"): cosign(PLAIN, DSSE)}
    tagged[about(PLAIN, ".sbom")] = cosign(PLAIN, SPDX)
    Upstream(PLAIN, attached, tagged).seed(up)
    words = "with 3 signatures, 2 SBOMs, 2 attestations, 1 other"
    assert words in sync(source, registry).err
    again = sync(source, registry)
    assert "is in sync with" in again.err
    assert words in again.err
    report = json.loads(sync(source, registry, "--json").out)
    assert report["referrers"] == {"signature": 3, "SBOM": 2, "attestation": 2, "other": 1}
    assert (report["changed"], report["attached"], report["left"]) == (False, 0, [])


def test_one_that_arrives_later(
    source: EmbeddedRegistry, up: Repository, registry: EmbeddedRegistry, down: Repository
) -> None:
    """Where the image is there and a signature is new, the signature alone is copied."""
    first, later = referrer(PLAIN, NOTATION, 1), referrer(PLAIN, NOTATION, 2)
    Upstream(PLAIN, [(PLAIN, first)], {}).seed(up)
    sync(source, registry)
    later.seed(up)
    registry.clear_requests()
    report = json.loads(sync(source, registry, "--json").out)
    assert (report["changed"], report["attached"]) == (True, 1)
    assert later.digest in down.manifests
    written = [
        request.path.rpartition("/")[2]
        for request in registry.requests
        if request.method == "PUT" and "manifests" in request.path
    ]
    assert written == ([later.digest] if registry.manner.referrers else [later.digest, about(PLAIN)])
    assert registry.manner.referrers or entries(down, PLAIN) == [first.digest, later.digest]


def test_without_the_option_nothing_more_is_asked(
    source: EmbeddedRegistry, up: Repository, registry: EmbeddedRegistry
) -> None:
    """Without --referrers nothing that is attached is copied or looked for."""
    upstream = UPSTREAMS["graph"]()
    upstream.seed(up)
    assert imagesync("sync", f"{source.host}/up/app:1", f"{registry.host}/team/app:1").code == 0
    assert (len(source.requests), len(registry.requests)) == (3, 6)
    assert not upstream.referrers & registry.repository("team/app").manifests.keys()


@pytest.mark.parametrize(
    ("made", "cold", "again"),
    [
        (Upstream(PLAIN, [], {}), (5, 6), (4, 1)),
        (UPSTREAMS["graph"](), (15, 24), (10, 4)),
        (UPSTREAMS["signed"](), (38, 55), (20, 8)),
    ],
    ids=["nothing", "graph", "signed"],
)
def test_requests(made: Upstream, cold: tuple[int, int], again: tuple[int, int]) -> None:
    """Looking for what is attached costs one list of tags, one question a manifest, and one GET for what is found."""
    with EmbeddedRegistry() as source, EmbeddedRegistry() as registry:
        made.seed(source.repository("up/app"))
        for cost in (cold, again):
            source.clear_requests()
            registry.clear_requests()
            sync(source, registry)
            assert (len(source.requests), len(registry.requests)) == cost
            assert sum("tags/list" in request.path for request in source.requests) == 1


def test_an_api_that_is_not_there_is_asked_once(registry: EmbeddedRegistry) -> None:
    """A registry without the Referrers API is asked for it once a run, not once for each manifest."""
    with EmbeddedRegistry(WITHOUT_API) as source:
        UPSTREAMS["attested"]().seed(source.repository("up/app"), listed=True)
        sync(source, registry)
        asked = [request.path for request in source.requests if "/referrers/" in request.path]
        assert len(asked) == 1
    assert len([request for request in registry.requests if "/referrers/" in request.path]) <= 5


def test_a_list_is_merged(source: EmbeddedRegistry, up: Repository) -> None:
    """Where others attached something at the destination, their entries and members stay in place, as they are."""
    ours, theirs = referrer(PLAIN, NOTATION, "ours"), referrer(PLAIN, NOTATION, "theirs")
    Upstream(PLAIN, [(PLAIN, ours)], {}).seed(up)
    with EmbeddedRegistry(WITHOUT_API) as registry:
        down = registry.repository("team/app")
        theirs.seed(down)
        listed = list_of(theirs, annotations={"by": "them"}, unknown=[1])
        listed.seed(down, about(PLAIN))
        sync(source, registry)
        document = down.manifests[down.tags[about(PLAIN)]].document
        assert document["manifests"][0] == listed.root.document["manifests"][0]
        assert entries(down, PLAIN) == [theirs.digest, ours.digest]
        assert (document["annotations"], document["unknown"]) == ({"by": "them"}, [1])
        tag = down.tags[about(PLAIN)]
        sync(source, registry)
        assert down.tags[about(PLAIN)] == tag


def test_somebody_else_writes_the_list_at_the_same_time(source: EmbeddedRegistry, up: Repository) -> None:
    """An entry that another client lost to us, or that we lost to it, is there in the end."""
    ours, theirs = referrer(PLAIN, NOTATION, "ours"), referrer(PLAIN, NOTATION, "theirs")
    Upstream(PLAIN, [(PLAIN, ours)], {}).seed(up)
    with EmbeddedRegistry(WITHOUT_API) as registry:
        down = registry.repository("team/app")
        writes = []

        def overwrite(response: Response) -> Response:
            theirs.seed(down)
            list_of(theirs).seed(down, about(PLAIN))
            return response

        def hook(request: Request) -> Fault | None:
            if request.method == "PUT" and request.path.endswith(about(PLAIN)):
                writes.append(request)
                return Fault(change=overwrite) if len(writes) == 1 else None
            return None

        registry.fault = hook
        sync(source, registry)
        assert sorted(entries(down, PLAIN)) == sorted([ours.digest, theirs.digest])


def test_an_entry_whose_manifest_is_gone(source: EmbeddedRegistry, up: Repository) -> None:
    """A list that names what somebody deleted can be written again: without that entry."""
    ours, gone, theirs = (referrer(PLAIN, NOTATION, seed) for seed in ("ours", "gone", "theirs"))
    Upstream(PLAIN, [(PLAIN, ours)], {}).seed(up)
    with EmbeddedRegistry(WITHOUT_API) as registry:
        down = registry.repository("team/app")
        theirs.seed(down)
        list_of(gone, theirs).seed(down, about(PLAIN))
        sync(source, registry)
        assert entries(down, PLAIN) == [theirs.digest, ours.digest]


def test_unsound_entries(registry: EmbeddedRegistry, down: Repository) -> None:
    """Of a list with entries that are no descriptors, the others count."""
    with EmbeddedRegistry(WITHOUT_API) as source:
        up = source.repository("up/app")
        good = referrer(PLAIN, NOTATION)
        PLAIN.seed(up, "1")
        good.seed(up)
        junk = ["text", {"digest": "sha256:zz"}, {"digest": good.digest}, good.root.descriptor()]
        root = Manifest(OCI_INDEX, to_json({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": junk}))
        up.manifests[root.digest] = root
        up.tags[about(PLAIN)] = root.digest
        sync(source, registry)
    assert good.digest in down.manifests


def test_who_names_another_subject(registry: EmbeddedRegistry, down: Repository) -> None:
    """A manifest that a list names, and that is about something else or about nothing, is no referrer."""
    other = image("other")
    real, foreign = referrer(PLAIN, NOTATION), referrer(other, NOTATION)
    with EmbeddedRegistry(WITHOUT_API) as source:
        up = source.repository("up/app")
        Upstream(PLAIN, [(PLAIN, real)], {}).seed(up)
        for one in (foreign, other):
            one.seed(up)
        list_of(real, foreign, other).seed(up, about(PLAIN))
        done = sync(source, registry)
    assert "with 1 signature," in done.err
    assert real.digest in down.manifests
    assert not {foreign.digest, other.digest} & down.manifests.keys()
    assert registry.manner.referrers or entries(down, PLAIN) == [real.digest]


def test_tags_cannot_be_listed(source: EmbeddedRegistry, up: Repository, registry: EmbeddedRegistry) -> None:
    """Where the list of tags is denied, what is attached is asked for by name."""
    upstream = UPSTREAMS["signed"]()
    upstream.seed(up)
    source.fault = lambda request: refusal(403, "DENIED") if "tags/list" in request.path else None
    sync(source, registry)
    assert upstream.referrers <= registry.repository("team/app").manifests.keys()


def test_pages(source: EmbeddedRegistry, up: Repository, registry: EmbeddedRegistry, down: Repository) -> None:
    """A list of referrers in several pages is read to its end."""
    several = [referrer(PLAIN, NOTATION, seed) for seed in range(5)]
    Upstream(PLAIN, [(PLAIN, one) for one in several], {}).seed(up)

    def pages(request: Request) -> Fault | None:
        if not request.path.endswith(f"referrers/{PLAIN.digest}"):
            return None
        at = int(request.query.get("at", "0"))
        page = [one.root.descriptor() for one in several[at : at + 2]]
        headers = {"Content-Type": OCI_INDEX}
        if at + 2 < len(several):
            headers["Link"] = f'<{request.path}?at={at + 2}>; rel="next"'
        return Fault(
            answer=json_response(200, {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": page}, headers)
        )

    source.fault = pages
    sync(source, registry)
    assert {one.digest for one in several} <= down.manifests.keys()


def test_attached_to_each_other(registry: EmbeddedRegistry) -> None:
    """Tags that lead in a circle are followed once."""
    one, two = cosign(PLAIN, DSSE), cosign(ATTESTED, DSSE)
    tagged = {about(PLAIN, ".att"): one, about(one, ".att"): two, about(two, ".att"): one}
    with EmbeddedRegistry() as source:
        Upstream(PLAIN, [], tagged).seed(source.repository("up/app"))
        sync(source, registry)
    assert registry.repository("team/app").tags == {"1": PLAIN.digest} | {
        tag: made.digest for tag, made in tagged.items()
    }


def _in_a_chain(subject: Image) -> list[tuple[Image, Image]]:
    """Something attached to an image, something attached to that, and so on."""
    attached = []
    for number in range(4):
        attached.append((subject, referrer(subject, SPDX, number)))
        subject = attached[-1][1]
    return attached


def test_a_new_archive(source: EmbeddedRegistry, up: Repository, tmp_path: Path) -> None:
    """What is attached at several levels arrives in an archive that is not there yet, and each blob is sent once."""
    Upstream(PLAIN, _in_a_chain(PLAIN), {about(PLAIN, ".sig"): cosign(PLAIN)}).seed(up)
    archive = f"oci-archive:{tmp_path}/carried.tar:1"
    done = imagesync("sync", "--referrers", f"{source.host}/up/app:1", archive)
    assert done.code == 0, done.err
    fetched = [request.path for request in source.requests if "/blobs/" in request.path]
    assert len(fetched) == len(set(fetched))
    checked = imagesync("check", "--read", "--referrers", f"{source.host}/up/app:1", archive)
    assert checked.code == 0, checked.err


def test_several_images_in_a_new_archive(source: EmbeddedRegistry, tmp_path: Path) -> None:
    """Each is whole, with all that is attached, whichever is written between two steps of another."""
    images = []
    for number in range(4):
        made, name = image(f"number {number}"), f"up/number{number}"
        Upstream(made, _in_a_chain(made), {}).seed(source.repository(name))
        archive = f"oci-archive:{tmp_path}/carried.tar:number{number}"
        images.append({"source": f"{source.host}/{name}:1", "destination": archive, "referrers": True})
    file = tmp_path / "images.json"
    file.write_text(json.dumps({"images": images}))
    for command in (("sync",), ("check", "--read")):
        done = imagesync(*command, "--file", str(file))
        assert done.code == 0, done.err


def test_too_deep(source: EmbeddedRegistry, up: Repository, registry: EmbeddedRegistry) -> None:
    """What is attached to what is attached, without an end, is refused, with nothing written."""
    attached, subject = [], PLAIN
    for _ in range(20):
        attached.append((subject, referrer(subject, NOTATION)))
        subject = attached[-1][1]
    Upstream(PLAIN, attached, {}).seed(up)
    assert "deep" in sync(source, registry, code=6).err
    assert registry.dump() == {}


def test_index_as_referrer(
    source: EmbeddedRegistry, up: Repository, registry: EmbeddedRegistry, down: Repository
) -> None:
    """A referrer may be an index; what it lists comes with it."""
    listed = image("part of it")
    document = {
        **index_of({"linux/amd64": listed}).root.document,
        "subject": {"mediaType": OCI_MANIFEST, "digest": PLAIN.digest, "size": len(PLAIN.root.content)},
        "artifactType": "application/x.bundle",
    }
    root = Manifest(OCI_INDEX, to_json(document))
    Upstream(PLAIN, [(PLAIN, Image(root, {root.digest: root, **listed.manifests}, listed.blobs))], {}).seed(up)
    sync(source, registry)
    assert {root.digest, listed.digest} <= down.manifests.keys()
    assert registry.manner.referrers or entries(down, PLAIN) == [root.digest]


def test_a_mirror_that_was_signed_too(
    source: EmbeddedRegistry, up: Repository, registry: EmbeddedRegistry, down: Repository
) -> None:
    """Signatures that cosign added at the destination to the source's stay, and are no reason to copy again."""
    tag, both = about(PLAIN, ".sig"), cosign(PLAIN, "x", "us", "them")
    Upstream(PLAIN, [], {tag: cosign(PLAIN, "x", "us")}).seed(up)
    sync(source, registry)
    both.seed(down, tag)
    report = json.loads(sync(source, registry, "--json").out)
    assert (report["changed"], report["left"], down.tags[tag]) == (False, [], both.digest)


def test_a_source_that_was_signed_again(
    source: EmbeddedRegistry, up: Repository, registry: EmbeddedRegistry, down: Repository
) -> None:
    """A signature that the source added to those of the same tag replaces what is all in it."""
    tag, both = about(PLAIN, ".sig"), cosign(PLAIN, "x", "us", "and us again")
    Upstream(PLAIN, [], {tag: cosign(PLAIN, "x", "us")}).seed(up)
    sync(source, registry)
    both.seed(up, tag)
    assert json.loads(sync(source, registry, "--json").out)["attached"] == 1
    assert down.tags[tag] == both.digest


def test_signatures_of_others_are_never_overwritten(
    source: EmbeddedRegistry, up: Repository, registry: EmbeddedRegistry, down: Repository
) -> None:
    """Where a tag of cosign's holds what the source does not have, it stays, and the report says so."""
    tag, theirs = about(PLAIN, ".sig"), cosign(PLAIN, "x", "them")
    Upstream(PLAIN, [], {tag: cosign(PLAIN, "x", "us")}).seed(up)
    theirs.seed(down, tag)
    done = sync(source, registry)
    assert down.tags == {"1": PLAIN.digest, tag: theirs.digest}
    assert f"{tag} there holds signatures that the source does not have" in done.err
    assert json.loads(sync(source, registry, "--json").out)["left"] == [tag]


def test_a_referrer_that_was_taken_meanwhile(
    source: EmbeddedRegistry, up: Repository, registry: EmbeddedRegistry, down: Repository
) -> None:
    """What somebody deletes before the image's tag is there is written again after it."""
    upstream = UPSTREAMS["graph"]()
    upstream.seed(up)

    def take(request: Request) -> None:
        if request.method == "PUT" and request.path.endswith("manifests/1"):
            for digest in upstream.referrers:
                del down.manifests[digest]
            down.tags.clear()

    registry.fault = take
    sync(source, registry)
    assert upstream.referrers <= down.manifests.keys()


def test_a_referrer_that_is_listed_and_gone(source: EmbeddedRegistry, up: Repository) -> None:
    """What the destination's list names, and somebody has deleted there, is copied again; external sees it too."""
    upstream = UPSTREAMS["graph"]()
    upstream.seed(up)
    with EmbeddedRegistry(WITHOUT_API) as registry:
        down = registry.repository("team/app")
        sync(source, registry)
        whole, lost = set(down.manifests), upstream.attached[0][1].digest
        del down.manifests[lost]
        names = {"source": f"{source.host}/up/app:1", "destination": f"{registry.host}/team/app:1"}
        query = json.dumps({**names, "referrers": "true"})
        assert json.loads(imagesync("external", stdin=query).out)["in_sync"] == "false"
        assert json.loads(sync(source, registry, "--json").out)["attached"] == 1
        assert set(down.manifests) == whole
        assert json.loads(imagesync("external", stdin=query).out)["in_sync"] == "true"


def test_a_child_that_is_about_another(source: EmbeddedRegistry, up: Repository) -> None:
    """A manifest of the index that names another as its subject is listed as its referrer like any other."""
    signature = referrer(PLAIN, NOTATION)
    made = index_of({"linux/amd64": PLAIN, "unknown/unknown": signature})
    made.seed(up, "1")
    with EmbeddedRegistry(WITHOUT_API) as registry:
        done = sync(source, registry)
        assert "with 1 signature" in done.err
        assert entries(registry.repository("team/app"), PLAIN) == [signature.digest]
        assert "is in sync" in sync(source, registry).err


def test_an_index_that_is_about_its_own_child(
    source: EmbeddedRegistry, up: Repository, registry: EmbeddedRegistry, down: Repository
) -> None:
    """The image itself may be what is attached to one of its manifests: it is brought like any other referrer."""
    made = listing([(PLAIN, {})], subject=describe(PLAIN.root.media_type, PLAIN.root.content))
    made.seed(up, "1")
    assert json.loads(sync(source, registry, "--json").out)["digest"] == made.digest
    assert set(down.manifests) >= {made.digest, PLAIN.digest}
    assert "is in sync" in sync(source, registry).err


def test_more_than_memory_has_room_for(
    source: EmbeddedRegistry, up: Repository, registry: EmbeddedRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is attached is refused where its manifests together are far larger than any real ones."""
    UPSTREAMS["graph"]().seed(up)
    monkeypatch.setattr(referrers, "_MOST_KEPT_BYTES", 1500)
    assert "too large" in sync(source, registry, code=6).err
    assert registry.dump() == {}


def test_dry_run(source: EmbeddedRegistry, up: Repository, registry: EmbeddedRegistry) -> None:
    """--dry-run counts what would be attached, and writes nothing."""
    UPSTREAMS["signed"]().seed(up)
    report = json.loads(sync(source, registry, "--dry-run", "--json").out)
    assert (report["attached"], report["changed"]) == (4, True)
    assert registry.dump() == {}


def test_another_tag_of_the_same_repository(source: EmbeddedRegistry, up: Repository) -> None:
    """A new tag in the same repository has all that is attached already: one PUT."""
    UPSTREAMS["graph"]().seed(up)
    done = imagesync("sync", "--referrers", f"{source.host}/up/app:1", f"{source.host}/up/app:2")
    assert done.code == 0
    assert sum(request.method == "PUT" for request in source.requests) == 1
    assert "2 signatures, 1 SBOM" in done.err


def test_platforms(source: EmbeddedRegistry, up: Repository, registry: EmbeddedRegistry, down: Repository) -> None:
    """Of the chosen platforms comes what is attached to them, and not what speaks of the whole index."""
    amd64, arm64 = child(ATTESTED, 0), child(ATTESTED, 1)
    on_index, on_amd64, on_arm64 = (referrer(one, NOTATION) for one in (ATTESTED, amd64, arm64))
    tagged = {about(ATTESTED, ".sig"): cosign(ATTESTED), about(amd64, ".sig"): cosign(amd64)}
    Upstream(ATTESTED, [(ATTESTED, on_index), (amd64, on_amd64), (arm64, on_arm64)], tagged).seed(up)
    sync(source, registry, "--platform", "linux/amd64")
    assert down.tags["1"] == amd64.digest
    assert {on_amd64.digest, cosign(amd64).digest} <= down.manifests.keys()
    assert not {on_index.digest, on_arm64.digest, cosign(ATTESTED).digest} & down.manifests.keys()


SIGNED = [
    Upstream(PLAIN, [], {about(PLAIN, ".sig"): cosign(PLAIN)}),
    Upstream(PLAIN, [(PLAIN, referrer(PLAIN, NOTATION))], {}),
    Upstream(PLAIN, [(PLAIN, referrer(PLAIN, SIGSTORE_BUNDLE))], {}),
    Upstream(ATTESTED, [(ATTESTED, referrer(ATTESTED, NOTATION))], {}),
    Upstream(ATTESTED, [(one, referrer(one, NOTATION)) for one in (child(ATTESTED, 0), child(ATTESTED, 1))], {}),
]
HIDDEN = image("hidden")
UNKNOWN = platform_of("unknown/unknown")


def beside_a_signed_one(*entries: tuple[Image, dict[str, Any]]) -> Upstream:
    """An index of a signed image and of what else these entries say."""
    made = listing([(PLAIN, {"platform": platform_of("linux/amd64")}), *entries])
    return Upstream(made, [(PLAIN, referrer(PLAIN, NOTATION))], {})


def said_to_be_about(digest: str) -> dict[str, Any]:
    return {"platform": UNKNOWN, "annotations": {"vnd.docker.reference.digest": digest}}


UNSIGNED = [
    # What is listed as unknown/unknown can be run all the same: only what is about a listed image is an attestation.
    beside_a_signed_one((HIDDEN, {"platform": UNKNOWN})),
    beside_a_signed_one((HIDDEN, said_to_be_about(f"sha256:{'1' * 64}"))),
    beside_a_signed_one((HIDDEN, said_to_be_about(HIDDEN.digest))),
    beside_a_signed_one(
        (HIDDEN, said_to_be_about(image("other").digest)), (image("other"), said_to_be_about(HIDDEN.digest))
    ),
    beside_a_signed_one((HIDDEN, {"annotations": {"vnd.docker.reference.digest": PLAIN.digest}})),
    Upstream(PLAIN, [], {}),
    Upstream(PLAIN, [(PLAIN, referrer(PLAIN, "application/spdx+json"))], {about(PLAIN, ".sbom"): cosign(PLAIN, SPDX)}),
    Upstream(ATTESTED, [(child(ATTESTED), referrer(child(ATTESTED), NOTATION))], {}),
]


@pytest.mark.parametrize("made", SIGNED)
def test_a_required_signature(
    source: EmbeddedRegistry, up: Repository, registry: EmbeddedRegistry, made: Upstream
) -> None:
    """With --require-signature an image is copied if it is signed, or if each image in its index is."""
    made.seed(up)
    done = imagesync("sync", "--require-signature", f"{source.host}/up/app:1", f"{registry.host}/team/app:1")
    assert done.code == 0, done.err
    assert made.referrers <= registry.repository("team/app").manifests.keys()


@pytest.mark.parametrize("made", UNSIGNED)
def test_a_required_signature_that_is_not_there(
    source: EmbeddedRegistry, up: Repository, registry: EmbeddedRegistry, made: Upstream
) -> None:
    """With --require-signature an image without one is refused by its name, and nothing is written."""
    made.seed(up)
    done = imagesync("sync", "--require-signature", f"{source.host}/up/app:1", f"{registry.host}/team/app:1")
    assert done.code == 7
    assert f"{source.host}/up/app@{made.image.digest} has no signature" in done.err
    assert registry.dump() == {}
    assert not any(request.method in ("PUT", "POST") for request in registry.requests)


def test_external(source: EmbeddedRegistry, up: Repository, registry: EmbeddedRegistry, down: Repository) -> None:
    """`external` names all that is attached, and the mirror is out of sync while something is missing there."""
    upstream = UPSTREAMS["signed"]()
    sbom = referrer(child(ATTESTED))
    upstream.attached += [(child(ATTESTED), sbom), (sbom, referrer(sbom, NOTATION))]
    upstream.seed(up)
    names = {"source": f"{source.host}/up/app:1", "destination": f"{registry.host}/team/app:1"}

    def ask() -> tuple[dict[str, object], bool]:
        asked = {side: {"reference": name, "referrers": True} for side, name in names.items()}
        answer = json.loads(imagesync("external", stdin=json.dumps({"images": json.dumps(asked)})).out)
        compared = json.loads(imagesync("external", stdin=json.dumps({**names, "referrers": "true"})).out)
        return {side: json.loads(text) for side, text in answer.items()}, compared["in_sync"] == "true"

    imagesync("sync", names["source"], names["destination"])
    found, in_sync = ask()
    assert found["source"]["referrers"] == sorted(upstream.referrers)  # type: ignore[index]
    assert (found["destination"]["referrers"], in_sync) == ([], False)  # type: ignore[index]
    sync(source, registry)
    found, in_sync = ask()
    assert found["destination"]["referrers"] == found["source"]["referrers"]  # type: ignore[index]
    assert in_sync
    cosign(ATTESTED, "x", "them", "us").seed(down, about(ATTESTED, ".sig"))
    up.tags[about(ATTESTED, ".sig")] = cosign(ATTESTED, "x", "us").seed(up)
    found, in_sync = ask()
    assert set(found["source"]["attached"]) <= set(found["destination"]["attached"])  # type: ignore[index]
    assert in_sync


def test_check(source: EmbeddedRegistry, up: Repository, registry: EmbeddedRegistry, down: Repository) -> None:
    """`check --referrers` names what is attached to the source alone, and --deep looks at what is attached as well."""
    upstream = UPSTREAMS["signed"]()
    upstream.seed(up)
    names = f"{source.host}/up/app:1", f"{registry.host}/team/app:1"

    def check(*options: str) -> tuple[int, dict[str, Any]]:
        finished = imagesync("check", *names, *options, "--json")
        return finished.code, json.loads(finished.out)

    imagesync("sync", *names)
    assert check()[0] == 0
    code, found = check("--referrers")
    assert (code, found["in_sync"]) == (8, False)
    assert set(found["missing_referrers"]) == set(upstream.referrers)
    sync(source, registry)
    assert check("--referrers", "--deep")[0] == 0
    lost = next(blob for one in upstream.tagged.values() for blob in one.blobs if blob not in ATTESTED.blobs)
    del down.blobs[lost]
    assert (check("--deep")[0], check("--referrers")[0]) == (0, 0)
    code, found = check("--referrers", "--deep")
    assert (code, [problem["digest"] for problem in found["problems"]]) == (8, [lost])
    asked = {"reference": names[1], "referrers": True, "verify": "deep"}
    answer = json.loads(imagesync("external", stdin=json.dumps({"images": json.dumps({"a": asked})})).out)
    assert lost in json.loads(answer["a"])["damage"]
    sync(source, registry, "--verify")
    assert check("--referrers", "--deep")[0] == 0


def test_external_asks_once(source: EmbeddedRegistry, up: Repository) -> None:
    """Many images of one repository share one list of its tags; those that do not ask cost one HEAD."""
    upstream = UPSTREAMS["graph"]()
    for tag in ("1", "2", "3"):
        upstream.seed(up, tag)
    names = [f"{source.host}/up/app:{tag}" for tag in up.tags]
    asked: dict[str, object] = {name: {"reference": name, "referrers": True} for name in names}
    answer = imagesync("external", stdin=json.dumps({"images": json.dumps(asked)}))
    assert all(len(json.loads(text)["referrers"]) == 3 for text in json.loads(answer.out).values())
    assert sum("tags/list" in request.path for request in source.requests) == 1
    source.clear_requests()
    answer = imagesync("external", stdin=json.dumps({"images": json.dumps({name: name for name in names})}))
    assert {request.method for request in source.requests} == {"HEAD"}
    assert all("referrers" not in json.loads(text) for text in json.loads(answer.out).values())


def test_external_with_words_it_does_not_know() -> None:
    """A wish for referrers that is neither yes nor no is told so."""
    done = imagesync("external", stdin=json.dumps({"source": "a", "referrers": "perhaps"}))
    assert done.code == 2
    assert "'perhaps'" in done.err
    asked = json.dumps({"a": {"reference": "localhost:1/a", "referrers": "yes"}})
    done = imagesync("external", stdin=json.dumps({"images": asked}))
    assert "true or false" in json.loads(json.loads(done.out)["a"])["error"]


def test_a_repository_that_is_not_known_yet(source: EmbeddedRegistry, up: Repository) -> None:
    """A 404 that names the repository says nothing about the registry's Referrers API."""
    UPSTREAMS["graph"]().seed(up)
    with EmbeddedRegistry() as registry:
        registry.fault = lambda request: (
            refusal(404, "NAME_UNKNOWN")
            if "/referrers/" in request.path and not registry.repository("team/app").manifests
            else None
        )
        sync(source, registry)
        assert set(registry.repository("team/app").tags) == {"1"}


def test_an_answer_that_is_no_list(registry: EmbeddedRegistry, down: Repository) -> None:
    """A server that answers every path with a page has no Referrers API; its lists count."""
    with EmbeddedRegistry(replace(WITHOUT_API, name="page")) as source:
        upstream = UPSTREAMS["graph"]()
        upstream.seed(source.repository("up/app"), listed=True)
        page = Response(200, {"Content-Type": "text/html"}, b"<html></html>")
        source.fault = lambda request: Fault(answer=page) if "/referrers/" in request.path else None
        sync(source, registry)
    assert upstream.referrers <= down.manifests.keys()
