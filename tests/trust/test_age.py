"""How old an image must be to be taken: what tells its age, and what happens until then."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from imagesync_cli.values.errors import UsageError
from imagesync_cli.values.times import parse_span, parse_time, span_text
from tests.command import Finished, imagesync
from tests.delete.doubles import pretending
from tests.embedded_registry import MANNERS, EmbeddedRegistry, Fault, Request
from tests.embedded_registry.images import OCI_CONFIG, Image, describe, image
from tests.embedded_registry.state import Manifest, Repository, digest_of
from tests.embedded_registry.wire import json_response

OLD, NEW = image("old"), image("new")
HOURS = timedelta(hours=1)


def ago(hours: float) -> str:
    """That time, as Go writes it."""
    return (datetime.now(timezone.utc) - hours * HOURS).strftime("%Y-%m-%dT%H:%M:%S.123456789Z")


@pytest.fixture
def source() -> Iterator[EmbeddedRegistry]:
    """A registry whose tag 1 has moved to another image; as Harbor, it tells when an image was pushed."""
    with EmbeddedRegistry() as running:
        NEW.seed(running.repository("up/app"), "1")
        yield running


@pytest.fixture
def down(registry: EmbeddedRegistry) -> Repository:
    repository = registry.repository("team/app")
    OLD.seed(repository, "1")
    return repository


def pushed(source: EmbeddedRegistry, hours: float, digest: str = NEW.digest) -> None:
    """Let the registry tell that this digest was pushed so long ago (Harbor's API)."""
    told(source, {"digest": digest, "push_time": ago(hours)})


def told(source: EmbeddedRegistry, answer: dict[str, str]) -> None:
    asked = f"/api/v2.0/projects/up/repositories/app/artifacts/{NEW.digest}"
    source.fault = lambda request: Fault(answer=json_response(200, answer)) if request.path == asked else None


def sync(source: EmbeddedRegistry, registry: EmbeddedRegistry, *options: str, to: str = "team/app:1") -> Finished:
    return imagesync("sync", f"{source.host}/up/app:1", f"{registry.host}/{to}", *options)


@pytest.mark.parametrize(("least", "is_taken"), [("72h", False), ("3d", False), ("2h", True), ("150m", True)])
def test_a_young_image_waits(
    least: str, is_taken: bool, source: EmbeddedRegistry, registry: EmbeddedRegistry, down: Repository
) -> None:
    """Until it is old enough the destination keeps what it has, and the run says for how long; that is no failure."""
    pushed(source, 3)
    before = registry.dump()
    done = sync(source, registry, "--minimum-age", least, "--keep-as", "{tag}-{date}-{digest}")
    assert done.code == 0, done.err
    if is_taken:
        assert down.tags["1"] == NEW.digest
    else:
        assert registry.dump() == before
        assert f"team/app:1 stays as it is: {NEW.digest} was pushed 3 h ago, and is taken in 69 h" in done.err
        assert f"{registry.host}/team/app@{OLD.digest}" in done.out


def test_a_digest_that_cannot_wait(source: EmbeddedRegistry, registry: EmbeddedRegistry, down: Repository) -> None:
    """A security fix is named by its digest, and taken at once."""
    pushed(source, 0)
    done = sync(source, registry, "--minimum-age", "3d", "--ignore-age-for", NEW.digest)
    assert done.code == 0
    assert down.tags["1"] == NEW.digest


def test_a_new_image_waits_or_is_taken(source: EmbeddedRegistry, registry: EmbeddedRegistry) -> None:
    """Where the destination has nothing yet there is nothing to go on with: a failure, unless it may be taken."""
    pushed(source, 3)
    done = sync(source, registry, "--minimum-age", "3d")
    assert done.code == 7
    assert "was pushed 3 h ago, and is taken in 69 h" in done.err
    assert "minimum_age_new = take" in done.err
    assert registry.state.repositories.get("team/app", Repository()).tags == {}
    assert sync(source, registry, "--minimum-age", "3d", "--minimum-age-new", "take").code == 0
    assert registry.repository("team/app").tags == {"1": NEW.digest}


@pytest.mark.parametrize("answer", ["nothing", "another digest", "no time"])
def test_what_nobody_tells_the_age_of_is_refused(
    answer: str, source: EmbeddedRegistry, registry: EmbeddedRegistry, down: Repository
) -> None:
    """Without evidence nothing is taken, and the error names the ways out."""
    if answer == "another digest":
        pushed(source, 300, OLD.digest)
    elif answer == "no time":
        told(source, {"digest": NEW.digest})
    before = registry.dump()
    done = sync(source, registry, "--minimum-age", "3d")
    assert done.code == 7
    assert f"nothing tells how old {source.host}/up/app@{NEW.digest} is" in done.err
    assert "ignore_age_for" in done.err
    assert registry.dump() == before


def created(name: str, time: str) -> Image:
    """An image that says of itself when it was made."""
    made = image(name)
    document = json.loads(made.root.content)
    config = json.dumps({**json.loads(made.blobs[document["config"]["digest"]]), "created": time}).encode()
    document["config"] = describe(OCI_CONFIG, config)
    root = Manifest(made.root.media_type, json.dumps(document).encode())
    return Image(root, {root.digest: root}, {**made.blobs, digest_of(config): config})


@pytest.mark.parametrize(("hours", "is_taken"), [(100, True), (3, False), (-50, False)])
def test_an_images_own_word_counts_only_if_asked(
    hours: float, is_taken: bool, source: EmbeddedRegistry, registry: EmbeddedRegistry, down: Repository
) -> None:
    """Anyone can write it, also a time to come."""
    made = created("made", ago(hours)).seed(source.repository("up/app"), "1")
    assert sync(source, registry, "--minimum-age", "3d").code == 7
    done = sync(source, registry, "--minimum-age", "3d", "--minimum-age-by-created")
    assert done.code == 0
    assert (down.tags["1"] == made) is is_taken


def test_what_is_in_sync_is_asked_nothing(
    source: EmbeddedRegistry, registry: EmbeddedRegistry, down: Repository
) -> None:
    """An image that has not moved costs no request more."""
    NEW.seed(down, "1")
    source.clear_requests()
    assert sync(source, registry, "--minimum-age", "3d").code == 0
    assert [request.method for request in source.requests] == ["HEAD"]


def test_a_file_says_it_for_each_entry(
    source: EmbeddedRegistry, registry: EmbeddedRegistry, down: Repository, tmp_path: Path
) -> None:
    """An entry's own rule goes before the call's; what waits is no failure, and is in the report."""
    pushed(source, 3)
    there = {"source": f"{source.host}/up/app:1"}
    OLD.seed(down, "2")
    entries = [
        {**there, "destination": f"{registry.host}/team/app:1"},
        {**there, "destination": f"{registry.host}/team/app:2", "minimum_age": "1h"},
        {**there, "destination": f"{registry.host}/team/app:3", "minimum_age": "3d", "minimum_age_new": "take"},
    ]
    (tmp_path / "images.yaml").write_text(json.dumps({"images": entries}))
    report = tmp_path / "report.json"
    done = imagesync("sync", "--file", str(tmp_path / "images.yaml"), "--minimum-age", "3d", "--report", str(report))
    assert done.code == 0, done.err
    assert down.tags == {"1": OLD.digest, "2": NEW.digest, "3": NEW.digest}
    held = {each["destination"].rpartition(":")[2]: each["held"] for each in json.loads(report.read_text())["images"]}
    assert "is taken in 69 h" in held["1"]
    assert (held["2"], held["3"]) == ("", "")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"minimum_age": "soon"}, "'soon' is not a length of time"),
        ({"minimum_age": "3d", "minimum_age_new": "perhaps"}, "minimum_age_new 'perhaps'"),
        ({"minimum_age": "3d", "ignore_age_for": ["sha256:1"]}, "sha256:1"),
        ({"ignore_age_for": [NEW.digest]}, "needs minimum_age"),
    ],
)
def test_a_file_that_is_wrong_says_where(
    wrong: dict[str, object], said: str, source: EmbeddedRegistry, tmp_path: Path
) -> None:
    """Each mistake is told with its line."""
    entry = {"source": f"{source.host}/up/app:1", "destination": "registry.example.com/app:1", **wrong}
    (tmp_path / "images.yaml").write_text(json.dumps({"images": [entry]}))
    done = imagesync("sync", "--file", str(tmp_path / "images.yaml"))
    assert done.code == 2
    assert said in done.err


@pytest.mark.parametrize(
    "options",
    [("--minimum-age", "soon"), ("--minimum-age", "3d", "--ignore-age-for", "x"), ("--ignore-age-for", NEW.digest)],
)
def test_an_option_that_is_wrong(
    options: tuple[str, ...], source: EmbeddedRegistry, registry: EmbeddedRegistry, down: Repository
) -> None:
    """A slip in an option changes nothing."""
    before = registry.dump()
    assert sync(source, registry, *options).code == 2
    assert registry.dump() == before


def test_a_lock_tells_when_it_saw_an_image_first(
    source: EmbeddedRegistry, registry: EmbeddedRegistry, down: Repository, tmp_path: Path
) -> None:
    """What a lock has waited for does not wait again, and nobody is asked for its age."""
    entry = {"source": f"{source.host}/up/app:1", "destination": f"{registry.host}/team/app:1", "minimum_age": "3d"}
    (tmp_path / "images.yaml").write_text(json.dumps({"images": [entry]}))
    assert imagesync("lock", "--file", str(tmp_path / "images.yaml")).code == 0
    lock = tmp_path / "images.lock.json"
    command = ("sync", "--file", str(tmp_path / "images.yaml"), "--locked")
    assert imagesync(*command).code == 0
    assert down.tags["1"] == OLD.digest
    document = json.loads(lock.read_text())
    document["images"][f"{source.host}/up/app:1"]["first_seen"] = ago(80)
    lock.write_text(json.dumps(document))
    source.clear_requests()
    assert imagesync(*command).code == 0
    assert down.tags["1"] == NEW.digest
    assert not [request for request in source.requests if "/api/" in request.path]


def test_a_lock_remembers_since_when_it_has_waited(source: EmbeddedRegistry, tmp_path: Path) -> None:
    """A digest that was pending keeps the time at which it was seen first."""
    OLD.seed(source.repository("up/app"), "1")
    entry = {"source": f"{source.host}/up/app:1", "destination": "registry.example.com/app:1", "min_age_hours": 48}
    (tmp_path / "images.yaml").write_text(json.dumps({"images": [entry]}))
    lock = tmp_path / "images.lock.json"
    assert imagesync("lock", "--file", str(tmp_path / "images.yaml")).code == 0
    NEW.seed(source.repository("up/app"), "1")
    assert imagesync("lock", "--file", str(tmp_path / "images.yaml")).code == 0
    name, document = f"{source.host}/up/app:1", json.loads(lock.read_text())
    document["images"][name]["pending"]["first_seen"] = seen = "2026-01-02T03:04:05Z"
    lock.write_text(json.dumps(document))
    assert imagesync("lock", "--file", str(tmp_path / "images.yaml")).code == 0
    taken = json.loads(lock.read_text())["images"][name]
    assert (taken["digest"], taken["first_seen"]) == (NEW.digest, seen)


def test_times_and_spans() -> None:
    """What registries write, and what people do."""
    noon = datetime(2026, 11, 30, 12, tzinfo=timezone.utc)
    for text in ("2026-11-30T12:00Z", "2026-11-30T12:00:00.123456789Z", "2026-11-30T13:00:00.1+01:00"):
        assert parse_time(text) == noon
    for wrong in (None, 3, "", "2026-11-30", "2026-13-30T12:00:00Z", "2026-11-30T12:00:00", "yesterday"):
        assert parse_time(wrong) is None
    assert (parse_span("90m"), parse_span("72h"), parse_span("3d")) == (1.5 * HOURS, 72 * HOURS, 72 * HOURS)
    for wrong in ("", "3", "3w", "-3d", "3 d", "123456h"):
        with pytest.raises(UsageError):
            parse_span(wrong)
    spans = {0.5: "30 min", 3: "3 h", 95: "95 h", 120: "5 days", -3: "0 min"}
    assert {hours: span_text(hours * HOURS) for hours in spans} == spans


def test_amazon_ecr_tells_when_an_image_was_pushed(registry: EmbeddedRegistry, down: Repository) -> None:
    """ECR is asked by boto3 for the digest; a role that may not ask is no evidence."""
    with EmbeddedRegistry(MANNERS["ecr"]) as source, pretending("ecr", source.host):
        NEW.seed(source.repository("up/app"), "1")
        keys = {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "eu-central-1"}
        command = ("sync", f"{source.host}/up/app:1", f"{registry.host}/team/app:1", "--minimum-age", "3d")
        assert imagesync(*command, environ=keys).code == 7
        details = {"imageDigest": NEW.digest, "imagePushedAt": datetime.now(timezone.utc).timestamp() - 3 * 3600}

        def tell(request: Request) -> Fault | None:
            is_asked = request.headers.get("x-amz-target", "").endswith(".DescribeImages")
            return Fault(answer=json_response(200, {"imageDetails": [details]})) if is_asked else None

        source.fault = tell
        done = imagesync(*command, environ=keys)
        assert (done.code, down.tags["1"]) == (0, OLD.digest), done.err
        assert "was pushed 3 h ago" in done.err
