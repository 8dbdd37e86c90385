"""What one cause keeps from many images, like a login that a registry lacks, is told once."""

from __future__ import annotations

from tests.embedded_registry import EmbeddedRegistry
from tests.embedded_registry.faults import refusal
from tests.embedded_registry.images import image
from tests.terraform.workspace import Workspace

NAMES = tuple("abcdefghij")
FIRST_AND_MORE = 'images["a:1"] and 9 more (b:1, c:1, d:1, …): '


def test_one_login_is_one_error(workspace: Workspace) -> None:
    """A plan of ten images names the registry, the cause and the first of them; so does an apply."""
    with EmbeddedRegistry() as source, EmbeddedRegistry() as mirror:
        digests = {name: image(name).seed(source.repository(f"team/{name}"), "1") for name in NAMES}
        entries = {f"{name}:1": f"{source.host}/team/{name}:1" for name in NAMES}
        workspace.write(entries, destination_prefix=mirror.host)
        source.fault = lambda _: refusal(401)
        refused = workspace.run("plan", "-out=plan.bin")
        assert refused.text.count("Error: ") == 1
        assert f"{FIRST_AND_MORE}the source {source.host}/team/a:1 is denied: " in refused.text
        assert f"{source.host} answers 401" in refused.text
        assert [each["key"] for each in workspace.explained()] == list(entries)

        source.fault, mirror.fault = None, lambda _: refusal(403)
        refused = workspace.run("plan", "-out=plan.bin")
        assert refused.text.count("Error: ") == 1
        assert f"{FIRST_AND_MORE}the destination {mirror.host}/a:1 is denied: " in refused.text
        assert [each["kind"] for each in workspace.explained()] == ["refused"] * len(entries)

        mirror.fault = lambda request: refusal(403) if request.method in ("POST", "PUT") else None
        failed = workspace.run("apply", "-auto-approve")
        assert failed.text.count("the registry answers 403") == 2  # in the process' own words, and of the first image
        assert failed.text.count("for the reason told of a:1") == 9

        # One that has a trouble of its own tells it, and the images that are there stay.
        mirror.fault = None
        workspace.apply()
        source.fault = lambda request: refusal(401) if "/team/a" not in request.path else None
        del source.repository("team/a").tags["1"]
        refused = workspace.run("apply", "-auto-approve")
        assert refused.text.count("Error: ") == 2
        assert f'images["a:1"]: the source {source.host}/team/a:1 is missing' in refused.text
        assert 'images["b:1"] and 8 more (c:1, d:1, e:1, …): ' in refused.text
        assert {name: mirror.repository(name).tags["1"] for name in NAMES} == digests
