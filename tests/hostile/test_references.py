"""References mean here what they mean to Docker: the same strings through Go's library and ours.

What differs on purpose is left out of the strings: ``docker://`` and ``oci:`` in front, the third name of Docker Hub
(registry.hub.docker.com), and Docker Hub in upper case, which we take for the same registry. And a name such as
``h_1.io/app``, which Go's library reads as a repository on a host without a name, is refused here.
"""

from __future__ import annotations

import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from imagesync_cli.values.errors import UsageError
from imagesync_cli.values.hosts import DOCKER_HUB
from imagesync_cli.values.reference import RegistryReference, parse_reference
from tests import peers

STRINGS = 100_000
_HEX = "0123456789abcdef" * 8
_HOSTS = [
    "",
    "",
    "localhost",
    "docker.io",
    "index.docker.io",
    "ghcr.io",
    "10.0.0.1",
    "[::1]",
    "[fe80::1]",
    "h-1.Example",
]
_HOSTS += [
    "registry",
    "Registry",
    "a..b",
    "-a.b",
    "a-.b",
    "[::1",
    "::1]",
    "localhost.",
    "h_1.io",
    "É.io",
    "é",
    "[::1%25a]",
]
_PORTS = ["", "", "", ":5000", ":0", ":99999999", ":", ":x", ":٣", ":80:80"]
_PARTS = [
    "app",
    "team",
    "a",
    "0",
    "a.b",
    "a_b",
    "a__b",
    "a___b",
    "a-b",
    "a--b",
    "a..b",
    "a._b",
    "-a",
    "a-",
    "_",
    "A",
    "é",
    "",
]
_PARTS += ["library", "localhost", "a" * 60, "a b", "sha256", "b" * 200]
_TAGS = [
    "",
    "",
    ":latest",
    ":1.0",
    ":v1_x-y.z",
    ":",
    ":-1",
    ":.1",
    ":_1",
    ":A",
    ":é",
    ":1 ",
    f":{'t' * 128}",
    f":{'t' * 129}",
]
_DIGESTS = ["", "", "", f"@sha256:{_HEX[:64]}", f"@sha512:{_HEX[:128]}", f"@sha384:{_HEX[:96]}", f"@sha256:{_HEX[:63]}"]
_DIGESTS += [
    f"@sha256:{_HEX[:64].upper()}",
    "@md5:" + _HEX[:32],
    "@",
    "@sha256:",
    f"@sha256:{_HEX[:64]}0",
    f"@{_HEX[:64]}",
]
_DIGESTS += [f"@sha256:{_HEX[:64]}@sha256:{_HEX[:64]}", f"@sha256+b64:{_HEX[:64]}", f"@SHA256:{_HEX[:64]}"]
_STRAY = "/:@.-_[] aA0é\t\0%"


def strings(count: int) -> Iterator[str]:
    """References put together from right and wrong parts, some with a stray character, each seed the same."""
    choice = random.Random(9).choice  # noqa: S311  (the same strings each time)
    number = random.Random(10).random  # noqa: S311
    yield from (_HEX[:64], "", "/", ":", "@", "a" * 256, f"a/{'b' * 253}", f"a/{'b' * 254}", f"x.io/{'b' * 255}")
    while count > 9:
        wrong = number() < 0.6  # or nothing would ever be right
        hosts, ports, parts, tags, digests = (
            part if wrong else part[:right]
            for part, right in ((_HOSTS, 10), (_PORTS, 5), (_PARTS, 4), (_TAGS, 5), (_DIGESTS, 6))
        )
        path = "/".join(choice(parts) for _ in range(choice([1, 1, 1, 2, 2, 3, 5])))
        host = choice(hosts)
        text = "/".join(filter(None, (host and host + choice(ports), path))) + choice(tags) + choice(digests)
        if wrong and number() < 0.5:
            at = int(number() * (len(text) + 1))
            text = text[:at] + choice(_STRAY) + text[at + choice([0, 1]) :]
        if not text.startswith("oci:"):
            count -= 1
            yield text


def ours(text: str) -> str:
    """What we read, as the Go program says it."""
    try:
        found = parse_reference(text)
    except UsageError:
        return "-"
    assert isinstance(found, RegistryReference)
    host = DOCKER_HUB if found.registry == DOCKER_HUB else found.host
    return "\t".join((host, found.repository, found.tag, found.digest))


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Go program, built."""
    program = tmp_path_factory.mktemp("reference") / "reader"
    source = Path(__file__).with_name("reference")
    subprocess.run([peers.program("go"), "build", "-o", str(program), "."], cwd=source, check=True)
    return program


def test_the_same_as_docker(reader: Path) -> None:
    """Every string is accepted or refused as Docker does it, and means the same host, path, tag and digest."""
    texts = list(strings(STRINGS))
    said = subprocess.run([str(reader)], input="\n".join(texts) + "\n", capture_output=True, text=True, check=True)
    theirs = ["-" if line.startswith("\t") else line for line in said.stdout.split("\n")[:-1]]
    assert len(theirs) == len(texts)
    differences = [(text, go, us) for text, go in zip(texts, theirs, strict=True) if (us := ours(text)) != go]
    assert differences[:20] == []
    assert 10_000 < sum(go != "-" for go in theirs) < STRINGS - 10_000
