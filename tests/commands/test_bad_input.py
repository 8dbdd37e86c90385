"""Bad input: each with the message and exit code that tell what to do, and with nothing changed anywhere."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Iterator

import pytest

from tests.command import IMAGESYNC, RUN_WITHIN_S, Finished, environment, imagesync
from tests.embedded_registry import Authentication, EmbeddedRegistry, Manner
from tests.embedded_registry.images import image, index
from tests.embedded_registry.state import Manifest
from tests.peers import free_host

NAME = "team/app"
DIGEST = f"sha256:{'a' * 64}"


@pytest.fixture(autouse=True)
def unchanged(registry: EmbeddedRegistry, pauses: list[float]) -> Iterator[None]:
    """The registry holds an image, and afterwards it holds that and nothing else."""
    image("there").seed(registry.repository(NAME), "1")
    before = registry.dump()
    yield
    assert registry.dump() == before
    assert registry.state.uploads == {}
    assert all(pause_s >= 0 for pause_s in pauses)


def refused(finished: Finished, code: int, *said: str) -> None:
    assert (finished.code, finished.out) == (code, ""), finished
    for text in said:
        assert text in finished.err
    assert finished.err.startswith("imagesync: ")
    assert "Traceback" not in finished.err
    assert "bug" not in finished.err


@pytest.mark.parametrize("command", ["resolve {}", "sync {} HOST/new:1", "sync HOST/team/app:1 {}", "delete {}"])
def test_malformed_reference(registry: EmbeddedRegistry, command: str) -> None:
    """A malformed reference is told with the part that is wrong and an example, before anything is asked."""
    arguments = command.replace("HOST", registry.host).format("registry.example.com/Team/App:1").split()
    refused(
        imagesync(*arguments),
        2,
        "reference 'registry.example.com/Team/App:1': repository 'Team/App' must be lower case",
        "a reference looks like registry.example.com/team/app:1.2",
    )
    assert registry.requests == []


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("delete --digest '' HOST/team/app:1", "'' is not a digest"),
        ("sync --digest '' HOST/team/app:1 HOST/new:1", "'' is not a digest"),
        ("sync HOST/team/app:1 oci:mirror:", "'' is not a tag"),
        ("delete oci:mirror:", "'' is not a tag"),
        ("login --username '' HOST", "user name ''"),
        ("login --username ann:x HOST", "user name 'ann:x'"),
        ("resolve --connections HOST HOST/team/app:1", "it takes a number"),
    ],
)
def test_variable_that_is_not_set(registry: EmbeddedRegistry, command: str, said: str) -> None:
    """A shell's empty variable is refused where a value is meant: a delete without its digest takes any image."""
    refused(imagesync(*shlex.split(command.replace("HOST", registry.host)), stdin="password"), 2, said)
    assert registry.requests == []


@pytest.mark.parametrize("option", ["--src-auth-file", "--dst-auth-file", "--ca-file", "--trust"])
def test_file_that_is_not_named(registry: EmbeddedRegistry, option: str) -> None:
    """An option for a file that names none is refused: the copy would go on with other logins or authorities."""
    done = imagesync("sync", option, "", f"{registry.host}/{NAME}:1", f"{registry.host}/new:1")
    assert (done.code, done.out) == (2, "")
    assert f"Invalid value for '{option}': it names no file." in done.err
    assert registry.requests == []


@pytest.mark.parametrize("reference", [f"{NAME}:unknown", "team/unknown:1", f"{NAME}@{DIGEST}"])
def test_unknown(registry: EmbeddedRegistry, reference: str) -> None:
    """A tag, repository or digest that is not there is "not there", said of the source."""
    source = f"{registry.host}/{reference}"
    refused(imagesync("sync", source, f"{registry.host}/new:1"), 3, source, "not found (404)")
    refused(imagesync("resolve", source), 3, f"looking up {source}: not found (404)")


def test_unknown_host(registry: EmbeddedRegistry) -> None:
    """A name that the DNS does not know is told as such, on either side."""
    unknown = "registry.invalid/app:1"
    for arguments in ((unknown, f"{registry.host}/new:1"), (f"{registry.host}/{NAME}:1", unknown)):
        refused(imagesync("sync", *arguments), 5, unknown, "there is no host registry.invalid", "check the name")


def test_wrong_port(registry: EmbeddedRegistry) -> None:
    """A port where nothing listens is told with the port, and with what to look at."""
    host = free_host()
    said = f"no answer from {host}: Connection refused\n", "check host and port"
    refused(imagesync("sync", f"{host}/app:1", f"{registry.host}/new:1"), 5, *said)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--file", "images.yaml", "--platform", "linux/amd64"], "--platform does not go with --file"),
        (["--file", "images.yaml", "oci:a:1"], "SRC does not go with --file"),
        (["--ignore-age-for", DIGEST, "oci:a:1", "oci:b:1"], "--ignore-age-for goes with --minimum-age"),
    ],
)
def test_options_that_do_not_go_together(options: list[str], said: str) -> None:
    """Of several options the one that does not fit is named."""
    done = imagesync("sync", *options)
    assert (done.code, done.out) == (2, "")
    assert said in done.err


@pytest.mark.parametrize("port", ["0", "65536", "99999"])
def test_port_that_cannot_be(port: str) -> None:
    """A number that is no port is bad usage, and never another port."""
    refused(imagesync("resolve", f"127.0.0.1:{port}/app:1"), 2, f"127.0.0.1:{port} cannot be a registry")


@pytest.mark.parametrize("scheme", ["basic", "bearer"])
def test_denied_pull(registry: EmbeddedRegistry, scheme: str) -> None:
    """A registry that lets nobody in without a login says so, and how to log in."""
    manner = Manner(authentication=Authentication(scheme="basic" if scheme == "basic" else "bearer"))
    with EmbeddedRegistry(manner) as closed:
        image().seed(closed.repository("secret/app"), "1")
        refused(
            imagesync("sync", f"{closed.host}/secret/app:1", f"{registry.host}/new:1"),
            4,
            f"{closed.host}/secret/app:1",
            "log in",
        )


def test_manifest_of_another_digest(registry: EmbeddedRegistry) -> None:
    """A manifest that is not what its digest says is not copied."""
    with EmbeddedRegistry() as wrong:
        asked, given = image("asked").root, image("given").root
        repository = wrong.repository("app")
        image("given").seed(repository)
        repository.manifests[asked.digest] = Manifest(given.media_type, given.content, asked.digest)
        finished = imagesync("sync", f"{wrong.host}/app@{asked.digest}", f"{registry.host}/new:1")
        refused(finished, 6, f"{wrong.host}/app@{asked.digest}: {asked.digest} arrived as {given.digest}")


def test_truncated_blob(registry: EmbeddedRegistry) -> None:
    """A blob that is shorter than its manifest says is not copied."""
    made = index()
    with EmbeddedRegistry() as wrong:
        made.seed(wrong.repository("app"), "1")
        layer = made.manifests[made.children[0]].blobs[1]
        wrong.repository("app").blobs[layer] = made.blobs[layer][:100]
        finished = imagesync("sync", f"{wrong.host}/app:1", f"{registry.host}/team/new:1")
    assert finished.code == 6, finished.err
    assert f"reading blob {layer} from {wrong.host}/app" in finished.err
    assert "1" not in registry.repository("team/new").tags
    del registry.state.repositories["team/new"]


@pytest.mark.parametrize(
    "call",
    [
        ("sync", "--file", "images.yaml", "--shard", ""),
        ("tags", "--semver", "", "r.invalid/a"),
        ("adopt", "--to", "", "images.yaml"),
    ],
)
def test_an_empty_text_is_no_option_left_out(call: tuple[str, ...]) -> None:
    """A shell's empty variable is refused: without its share, a job would copy everything and prune."""
    done = imagesync(*call)
    assert (done.code, done.out) == (2, "")
    assert "it is empty." in done.err


def test_destination_by_digest(registry: EmbeddedRegistry) -> None:
    """A destination takes a tag, not a digest."""
    destination = f"{registry.host}/new@{DIGEST}"
    refused(imagesync("sync", f"{registry.host}/{NAME}:1", destination), 2, "is given by digest", "takes a tag")
    assert registry.requests == []


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--digest", "1.0"), "'1.0' is not a digest"),
        (("--digest", "sha256:abc"), "'sha256:abc' is not a digest"),
        (("--plain-http", "http://a"), "plain HTTP host 'http://a'"),
    ],
)
def test_bad_option(registry: EmbeddedRegistry, options: tuple[str, str], why: str) -> None:
    """An option's value that makes no sense is told with one that would."""
    refused(imagesync("sync", f"{registry.host}/{NAME}:1", f"{registry.host}/new:1", *options), 2, why)


def test_two_digests(registry: EmbeddedRegistry) -> None:
    """A source and a --digest that contradict each other are not guessed between."""
    source = f"{registry.host}/{NAME}@{DIGEST}"
    finished = imagesync("sync", source, f"{registry.host}/new:1", "--digest", f"sha256:{'b' * 64}")
    refused(finished, 2, "name two images", "leave one of them out")


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("{", "the query is not JSON"),
        ("\xff", "the query is not JSON"),
        ("null", "the query is not a JSON object"),
        ('{"images": 1}', "the value of 'images' is not a string"),
        ('{"images": "{"}', "images is not JSON"),
        ("", "the query is not JSON"),
    ],
)
def test_bad_query(query: str, why: str) -> None:
    """A question that is no question ends with 2, a reason and an example."""
    refused(imagesync("external", stdin=query.encode("latin-1")), 2, why, '{"images":')


def test_endless_query() -> None:
    """A question of more than 16 MiB is not read to its end."""
    refused(imagesync("external", stdin=b" " * (16 * 1024 * 1024 + 1)), 2, "longer than 16777216 bytes")


def test_empty_map() -> None:
    """No images are no error: the answer is as empty as the question."""
    finished = imagesync("external", stdin='{"images": "{}"}')
    assert (finished.code, finished.out, finished.err) == (0, "{}\n", "")


def test_bad_references_in_a_query(registry: EmbeddedRegistry) -> None:
    """Of many references each has its own error and kind, and the good ones their answer."""
    asked = {
        "good": f"{registry.host}/{NAME}:1",
        "missing": f"{registry.host}/{NAME}:2",
        "unreachable": "registry.invalid/app:1",
        "invalid": "No Reference",
        "no port": "127.0.0.1:99999/app:1",
    }
    finished = imagesync("external", stdin=json.dumps({"images": json.dumps(asked)}))
    assert finished.code == 0, finished.err
    answers = {key: json.loads(text) for key, text in json.loads(finished.out).items()}
    assert {key: answer["kind"] for key, answer in answers.items()} == {
        "good": "",
        "missing": "missing",
        "unreachable": "unreachable",
        "invalid": "invalid",
        "no port": "invalid",
    }
    assert answers["good"]["digest"] == image("there").digest
    assert all(answer["error"] for key, answer in answers.items() if key != "good")


@pytest.mark.parametrize(
    "command",
    ["external", "explain", "lock --file -", "sync --file -", "adopt -", "login -u ann 127.0.0.1:1"],
)
def test_no_stdin(command: str) -> None:
    """A stdin that is closed is like an empty one: an error that says what is missing."""
    call = f"exec {shlex.join(IMAGESYNC)} {command} <&-"
    done = subprocess.run(
        ["/bin/sh", "-c", call], env=environment(), capture_output=True, text=True, check=False, timeout=RUN_WITHIN_S
    )
    refused(Finished(done.returncode, done.stdout, done.stderr), 2)
