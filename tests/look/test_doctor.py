"""`imagesync doctor`: what each step sees, what it says to do next, and that it leaves nothing behind."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from imagesync_cli.look.doctor import ecr_advice
from imagesync_cli.stores.registry.login.tokens import claimed_actions
from imagesync_cli.values.secret import Secret
from tests.command import Finished, imagesync
from tests.embedded_registry import MANNERS, Authentication, EmbeddedRegistry, Manner, without_deletes
from tests.embedded_registry.faults import Fault, refusal
from tests.embedded_registry.images import image
from tests.embedded_registry.strict_limits import SlidingWindow, StrictLimits
from tests.embedded_registry.wire import Response, json_response
from tests.logins import CANARY, variables
from tests.peers import docker_registry, free_host
from tests.repo.checkout import ROOT

ACCOUNTS = {"ann": CANARY}
HELLO = f"oci:{ROOT}/examples/hello-image:1.0"


def steps(done: Finished) -> dict[str, dict[str, str]]:
    """The steps of the only diagnosis, by name."""
    (diagnosis,) = json.loads(done.out)
    return {step["name"]: step for step in diagnosis["steps"]}


def examine(registry: EmbeddedRegistry, reference: str = "app:1", **login: str) -> Finished:
    environ = variables(registry.host, **login) if login else {}
    return imagesync("doctor", "--json", f"{registry.host}/{reference}", environ=environ)


@pytest.fixture
def manner() -> Manner:
    return Manner(authentication=Authentication("bearer", ACCOUNTS))


def test_all_is_well(manner: Manner) -> None:
    """Where everything works every step is ok, and the table names the source of the login and not the login."""
    with EmbeddedRegistry(manner) as registry:
        image().seed(registry.repository("app"), "1")
        before = registry.dump()
        done = imagesync("doctor", f"{registry.host}/app:1", environ=variables(registry.host, "ann", CANARY))
        assert registry.dump() == before
    assert done.code == 0, done.err
    lines = [line.split() for line in done.out.splitlines()[1:]]
    names = ["name", "dns", "connect", "login", "read", "list", "push", "mount", "delete", "referrers"]
    assert [(line[0], line[1]) for line in lines] == [(name, "ok") for name in names]
    assert "from IMAGESYNC_USERNAME_127_0_0_1" in done.out
    assert CANARY not in done.out + done.err


def test_nothing_is_left(manner: Manner) -> None:
    """The upload that is opened is cancelled again; no tag, manifest or blob appears or goes."""
    with EmbeddedRegistry(manner) as registry:
        image().seed(registry.repository("app"), "1")
        examine(registry, username="ann", password=CANARY)
        uploads = [each for each in registry.requests if "uploads" in each.path and each.status < 300]
        opened = [each for each in uploads if each.method == "POST"]
        cancelled = [each for each in uploads if each.method == "DELETE"]
    assert opened
    assert len(cancelled) == len(opened)


def test_nobody_is_logged_in(manner: Manner) -> None:
    """Without a login reading and pushing are refused, and each says how to log in; the exit code says so too."""
    with EmbeddedRegistry(manner) as registry:
        done = examine(registry)
    found = steps(done)
    assert done.code == 4
    assert found["login"]["outcome"] == "-"
    assert found["read"]["outcome"] == found["push"]["outcome"] == "no"
    assert f"docker login {registry.host}" in found["read"]["advice"]


def test_a_wrong_password(manner: Manner) -> None:
    """A password that is refused is told once, by where it came from, and nothing else is tried with it."""
    with EmbeddedRegistry(manner) as registry:
        done = examine(registry, username="ann", password="wrong")
    found = steps(done)
    assert done.code == 4
    assert list(found) == ["name", "dns", "connect", "login"]
    assert found["login"]["outcome"] == "no"
    assert "IMAGESYNC_USERNAME_127_0_0_1" in found["login"]["seen"] + found["login"]["advice"]


def test_a_source(manner: Manner) -> None:
    """A login that may only read is fine for a source, and the table says so where it may not push."""
    rules = replace(manner.authentication, allowed={"app": "pull"})
    with EmbeddedRegistry(replace(manner, authentication=rules)) as registry:
        image().seed(registry.repository("app"), "1")
        done = examine(registry, username="ann", password=CANARY)
    found = steps(done)
    assert done.code == 0
    assert found["read"]["outcome"] == "ok"
    assert found["push"]["outcome"] == "no"
    assert "fine for a source" in found["push"]["advice"]
    assert "mount" not in found


def test_no_image_yet(registry: EmbeddedRegistry) -> None:
    """A destination without the tag, or the repository, is no failure."""
    done = examine(registry)
    found = steps(done)
    assert done.code == 0
    assert (found["read"]["outcome"], found["read"]["seen"]) == ("-", "allowed; there is no such image")
    assert found["read"]["advice"].endswith(f"imagesync tags {registry.host}/app")
    assert (found["list"]["outcome"], found["push"]["outcome"]) == ("-", "-")
    assert registry.state.repositories == {}
    assert not [request for request in registry.requests if request.method == "POST"]
    assert found["login"]["seen"] == "the registry does not ask for one"


@pytest.mark.parametrize(
    ("manner", "says"),
    [
        (MANNERS["distribution-2.8"], "distribution 2.x"),
        (MANNERS["distribution-3"], "tags are deleted"),
        (MANNERS["nexus"], "manifests are deleted; this registry deletes no tags"),
    ],
)
def test_deleting(manner: Manner, says: str) -> None:
    """Whether tags can be deleted is found out with a tag that nobody has."""
    with EmbeddedRegistry(manner) as registry:
        image().seed(registry.repository("app"), "1")
        found = steps(examine(registry))
        assert registry.repository("app").tags == {"1": image().digest}
    assert says in found["delete"]["seen"]


@pytest.mark.parametrize(
    ("change", "step", "says"),
    [
        ({"mount": "refused"}, "mount", "not offered"),
        ({"referrers": False}, "referrers", "by tag"),
        ({"referrers": True}, "referrers", "by the API"),
    ],
)
def test_abilities(change: dict[str, Any], step: str, says: str) -> None:
    """Mounts and the referrers API are told of, one way or the other."""
    with EmbeddedRegistry(replace(Manner(), **change)) as registry:
        image().seed(registry.repository("app"), "1")
        assert says in steps(examine(registry))[step]["seen"]


def test_no_such_host() -> None:
    """A name that nobody knows ends the examination, with the hint to check it."""
    done = imagesync("doctor", "--json", "registry.invalid/app:1")
    assert done.code == 5
    assert list(steps(done)) == ["name", "dns"]
    assert "DNS" in steps(done)["dns"]["advice"]


@pytest.mark.parametrize("kind", ["distribution-2.8", "distribution-3"])
def test_deletes_that_are_off(kind: str) -> None:
    """A registry that deletes nothing is told as such, with what to turn on."""
    with EmbeddedRegistry(without_deletes(MANNERS[kind])) as registry:
        image().seed(registry.repository("app"), "1")
        found = steps(examine(registry))
    assert found["delete"]["outcome"] == "no"
    assert "REGISTRY_STORAGE_DELETE_ENABLED=true" in found["delete"]["advice"]


def test_deletes_of_a_real_registry(tmp_path: Path) -> None:
    """Debian's docker-registry says so itself, whether its deletes are on or off."""
    outcomes = {}
    for deletes in (True, False):
        folder = tmp_path / str(deletes)
        folder.mkdir()
        with docker_registry(folder, deletes=deletes) as host:
            assert imagesync("sync", "--quiet", HELLO, f"{host}/app:1").code == 0
            outcomes[deletes] = steps(imagesync("doctor", "--json", f"{host}/app:1"))["delete"]["outcome"]
    assert outcomes == {True: "ok", False: "no"}


@pytest.mark.parametrize("kind", ["harbor", "pulp"])
def test_hosts_with_an_api_of_their_own(kind: str) -> None:
    """Harbor and Pulp delete no tags by the distribution API, and by their own they do; that is what counts."""
    with EmbeddedRegistry(replace(MANNERS[kind], authentication=Authentication("basic", ACCOUNTS))) as registry:
        image().seed(registry.repository("team/app"), "1")
        found = steps(examine(registry, "team/app:1", username="ann", password=CANARY))
        assert registry.repository("team/app").tags == {"1": image().digest}
        none = steps(examine(registry, "none:1", username="ann", password=CANARY))
    assert (found["delete"]["outcome"], found["delete"]["seen"]) == ("ok", "tags are deleted")
    assert none["delete"]["outcome"] == "-"


def test_an_api_that_refuses() -> None:
    """Where the host's own API would refuse the deletion that is found out, with nothing deleted."""
    accounts = Authentication("basic", ACCOUNTS)
    with EmbeddedRegistry(replace(MANNERS["harbor"], authentication=accounts)) as registry:
        image().seed(registry.repository("app"), "1")
        registry.fault = lambda request: refusal(403, "FORBIDDEN") if request.path.startswith("/api/") else None
        found = steps(examine(registry, username="ann", password=CANARY))
    assert found["delete"]["outcome"] == "no"
    assert "FORBIDDEN" in found["delete"]["seen"]


def test_a_registry_that_looks_before_it_mounts(registry: EmbeddedRegistry) -> None:
    """Pulp answers 404 BLOB_UNKNOWN to the mount of a blob that is not there: it knows what a mount is."""
    image().seed(registry.repository("app"), "1")
    registry.fault = lambda request: refusal(404, "BLOB_UNKNOWN") if "mount" in request.query else None
    assert "may be mounted" in steps(examine(registry))["mount"]["seen"]


def test_a_project_that_is_not_there(registry: EmbeddedRegistry) -> None:
    """Harbor says 401 without a challenge for a project that does not exist: what it says of it is shown."""
    errors = {"errors": [{"code": "UNAUTHORIZED", "message": "project app not found"}]}
    registry.fault = lambda request: Fault(answer=json_response(401, errors)) if request.path != "/v2/" else None
    assert "project app not found" in steps(examine(registry))["read"]["seen"]


def test_nobody_listens() -> None:
    """A port where nothing listens is found at the connection."""
    done = imagesync("doctor", "--json", f"{free_host()}/app:1")
    assert done.code == 5
    assert list(steps(done)) == ["name", "dns", "connect"]
    assert "the firewall, and the proxy" in steps(done)["connect"]["advice"]
    assert steps(done)["connect"]["seen"].endswith(": Connection refused")


def test_a_repository_that_ecr_lacks() -> None:
    """For ECR the missing repository is answered with the Terraform resource that makes it."""
    advice = ecr_advice("123456789012.dkr.ecr.eu-west-1.amazonaws.com", "team/my-app")
    assert 'resource "aws_ecr_repository" "team_my_app" { name = "team/my-app" }' in advice
    assert ecr_advice("registry.example.com", "team/app") == ""


def test_a_registry_in_trouble(registry: EmbeddedRegistry) -> None:
    """A registry that fails at one thing is reported at that step; the others are still tried."""
    image().seed(registry.repository("app"), "1")
    registry.fault = lambda request: refusal(503) if "tags/list" in request.path else None
    found = steps(examine(registry))
    assert found["list"]["outcome"] == "no"
    assert found["push"]["outcome"] == "ok"


@pytest.mark.parametrize("role", ["--source", "--destination"])
def test_what_is_no_registry(registry: EmbeddedRegistry, role: str) -> None:
    """A web server, or a login page in a registry's place, may answer 200 to everything: none of that is an image."""
    page = Response(200, {"Content-Type": "text/html; charset=utf-8"}, b"<html>hello</html>")
    registry.fault = lambda _: Fault(answer=page)
    done = imagesync("doctor", "--json", role, f"{registry.host}/app:1")
    assert done.code == 6
    found = steps(done)
    for name in ("read", "list", "referrers"):
        assert (found[name]["outcome"], found[name]["seen"]) == ("no", f"{registry.host} answers with a web page")
    assert "check the host" in found["read"]["advice"]


def test_a_layout() -> None:
    """A folder needs no login: the answer says that it is one."""
    done = imagesync("doctor", "--json", HELLO)
    assert done.code == 0
    assert "a folder" in steps(done)["name"]["seen"]
    assert steps(done)["read"]["outcome"] == "ok"


@pytest.mark.parametrize(("role", "code"), [("--source", 3), ("--destination", 0), ("", 0)])
def test_a_folder_that_is_not_there(role: str, code: int) -> None:
    """A folder that is not there is fine for a destination and wrong for a source."""
    done = imagesync("doctor", "--json", *filter(None, [role]), "oci:/nonexistent/layout:1")
    assert done.code == code
    assert ("no" in {step["outcome"] for step in steps(done).values()}) == bool(code)


def test_a_destination_in_a_folder() -> None:
    """A destination that is a folder need not be there, and is not looked into."""
    done = imagesync("doctor", "--json", "--destination", HELLO)
    assert (done.code, list(steps(done))) == (0, ["name", "write"])


@pytest.mark.parametrize(
    ("destination", "said"),
    [
        ("oci:FOLDER/file:1", "file is not a folder"),
        ("oci:FOLDER/file/below/it:1", "file is not a folder"),
        ("oci-archive:FOLDER/file/a.tar:1", "file is not a folder"),
        ("docker-archive:FOLDER/a.tar:app", "is read-only"),
        ("oci:FOLDER/new/layout:1", ""),
        ("oci-archive:FOLDER/new/a.tar:1", ""),
    ],
)
def test_a_destination_that_cannot_be_written(tmp_path: Path, destination: str, said: str) -> None:
    """A folder or file that a sync could not write is not ok as a destination, and looking makes nothing."""
    (tmp_path / "file").write_text("")
    done = imagesync("doctor", "--json", "--destination", destination.replace("FOLDER", str(tmp_path)))
    write = steps(done)["write"]
    assert (done.code, write["outcome"]) == ((2, "no") if said else (0, "ok"))
    assert said in write["seen"]
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    """A source that cannot be read as what it is said to be is not ok, whatever its role."""
    (tmp_path / "index.json").write_text("{")
    done = imagesync("doctor", "--json", f"oci:{tmp_path}:1")
    assert (done.code, steps(done)["read"]["outcome"]) == (6, "no")


def test_a_mistyped_source(registry: EmbeddedRegistry) -> None:
    """A source that is not there is not ok, and the next step is to look what there is; nothing is written to it."""
    image().seed(registry.repository("app"), "1")
    done = imagesync("doctor", "--json", "--source", f"{registry.host}/app:2")
    found = steps(done)
    assert (done.code, found["read"]["outcome"]) == (3, "no")
    assert f"imagesync tags {registry.host}/app" in found["read"]["advice"]
    assert not {"push", "mount", "delete"} & found.keys()
    assert {request.method for request in registry.requests} == {"GET"}


def test_both_sides(manner: Manner) -> None:
    """A source and a destination are each examined as such, with the login that each side has, in one call."""
    rules = replace(manner.authentication, allowed={"app": "pull"})
    with EmbeddedRegistry(replace(manner, authentication=rules)) as registry:
        image().seed(registry.repository("app"), "1")
        login, pair = variables(registry.host, "ann", CANARY), f"{registry.host}/app:1"
        done = imagesync("doctor", "--source", pair, "--destination", pair, environ=login)
        told = json.loads(imagesync("doctor", "--json", "--source", pair, "--destination", pair, environ=login).out)
    assert done.code == 4
    assert f"{pair} as a source\n" in done.out
    assert f"{pair} as a destination\n" in done.out
    assert [(each["role"], each["exit_code"]) for each in told] == [("source", 0), ("destination", 4)]
    (push,) = [step for step in told[1]["steps"] if step["name"] == "push"]
    assert push["advice"] == "this login may read and not push to app: give it that right"


def test_no_reference() -> None:
    """Without a reference there is nothing to examine."""
    assert imagesync("doctor").code == 2


def test_scopes_of_a_real_token() -> None:
    """What a signed token grants is shown, where it can be read."""
    claims = {"access": [{"type": "repository", "name": "app", "actions": ["pull", "push"]}]}
    token = Secret(f"x.{base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}.y")
    assert claimed_actions(token, "app") == "pull,push"
    assert claimed_actions(token, "other") == ""
    assert claimed_actions(Secret("opaque"), "app") == ""


@pytest.mark.parametrize("left", [3, 1])
def test_pulls_that_are_left(left: int) -> None:
    """Where a registry tells how many pulls are left, a step says so, at the cost of no further request."""
    with EmbeddedRegistry() as registry:
        image().seed(registry.repository("app"), "1")
        examine(registry)
        without = len(registry.requests)
        registry.clear_requests()
        registry.fault = StrictLimits(pulls=SlidingWindow(left, 21600), told_window_s=21600)
        done = examine(registry)
        assert len(registry.requests) == without
    step = steps(done)["pulls"]
    assert done.code == 0
    assert step["seen"] == f"{left - 1} of {left} pulls left, reset in at most 6 h"
    assert (step["outcome"], "--wait-for-limit" in step["advice"]) == (("ok", False) if left > 1 else ("-", True))


def test_whose_pulls_are_counted() -> None:
    """Whether Docker Hub counts by address or by account is said, and not which: the table goes into bug reports."""
    sources = {
        "203.0.113.7": ", counted for this address",
        "2600:3c00::": ", counted for this address",
        "0f3c1a2e-7d1b-4c3a-9e52-1f6b8f0a7c11": ", counted for this account",
        "\x1b[2J": "",
        "x" * 99: "",
    }
    for source, shown in sources.items():
        with EmbeddedRegistry() as registry:
            image().seed(registry.repository("app"), "1")
            told = {"RateLimit-Limit": "100;w=21600", "RateLimit-Remaining": "61;w=21600"}
            headers = {**told, "Docker-RateLimit-Source": source}
            registry.fault = lambda _, told=headers: Fault(
                change=lambda response: replace(response, headers={**response.headers, **told})
            )
            assert steps(examine(registry))["pulls"]["seen"] == f"61 of 100 pulls left, reset in at most 6 h{shown}"
