"""What an entry says for itself: new names for tags, and which kinds of referrers come along."""

from __future__ import annotations

import pytest

from tests.batch.conftest import Bench
from tests.command import imagesync
from tests.embedded_registry.images import image, index, referrer

SBOM, SIGNATURE = "application/spdx+json", "application/vnd.dev.sigstore.bundle.v0.3+json"


def test_tags_get_new_names(bench: Bench) -> None:
    """Each picked tag arrives under its new name; prune leaves these, and takes the old names for unwanted."""
    made = {tag: bench.seed("app", tag) for tag in ("1.0", "1.1")}
    made["1.0"].seed(bench.there("app"), "1.0")
    bench.write(bench.entry("app", tags=["1.*"], prune=True), defaults={"as": "{tag}-mirror"})
    finished = bench.sync()
    assert finished.code == 0, finished.err
    assert bench.tags("app") == {f"{tag}-mirror": each.digest for tag, each in made.items()}
    bench.clear()
    assert bench.sync().out == ""


def test_a_single_image_gets_a_new_name(bench: Bench) -> None:
    """A destination without a tag has the source's by its new name; one that names a tag keeps that."""
    one = bench.seed("app", "1.0")
    plain = {"source": f"{bench.up.host}/app:1.0", "destination": f"{bench.down.host}/app"}
    named = {"source": f"{bench.up.host}/app:1.0", "destination": f"{bench.down.host}/app:mine"}
    bench.write(plain, named, defaults={"as": "v{tag}"})
    assert bench.sync().code == 0
    assert bench.tags("app") == {"v1.0": one.digest, "mine": one.digest}


def test_a_name_that_cannot_be_fails_its_entry(bench: Bench) -> None:
    """A tag whose new name would be too long fails by name; no other entry does, and nothing is pruned there."""
    long = "1" * 125
    bench.seed("app", long)
    bench.seed("other", "1")
    bench.seed("app", "old").seed(bench.there("app"), "old")
    bench.write(bench.entry("app", tags=["1*"], prune=True, **{"as": "{tag}-mirror"}), bench.entry("other", "1"))
    finished = bench.sync()
    assert finished.code == 2
    assert "as makes '111" in finished.err
    assert set(bench.tags("app")) == {"old"}
    assert bench.tags("other")


@pytest.mark.parametrize("types", [[SBOM], [SBOM, SIGNATURE], ["application/vnd.none"]])
def test_only_named_types_come_along(bench: Bench, types: list[str]) -> None:
    """Of what is attached, that of the named types is copied, and a second run misses nothing."""
    made = bench.seed("app", "1", index("app"))
    attached = {each: referrer(made, each) for each in (SBOM, SIGNATURE)}
    for each in attached.values():
        each.seed(bench.up.repository("app"))
    bench.write(bench.entry("app", "1", referrers=types))
    finished = bench.sync()
    assert finished.code == 0, finished.err
    there = bench.there("app").manifests
    assert [name for name, each in attached.items() if each.digest in there] == [t for t in types if t in attached]
    assert bench.tags("app") == {"1": made.digest}
    assert bench.sync().out == ""


def test_a_required_signature_comes_whatever_is_named(bench: Bench) -> None:
    """--require-signature sees a signature that the named types leave out, and brings all that is attached."""
    made = bench.seed("app", "1")
    signature = referrer(made, SIGNATURE)
    signature.seed(bench.up.repository("app"))
    bench.write(bench.entry("app", "1", referrers=[SBOM]))
    assert bench.sync("--require-signature").code == 0
    assert signature.digest in bench.there("app").manifests
    assert imagesync("check", "--referrers", f"{bench.up.host}/app:1", f"{bench.down.host}/app:1").code == 0


def test_the_command_line_names_types_too(bench: Bench) -> None:
    """--referrer-type brings, and checks, what has the type, and nothing else that is attached."""
    made = bench.seed("app", "1")
    attached = {each: referrer(made, each) for each in (SBOM, SIGNATURE)}
    for each in attached.values():
        each.seed(bench.up.repository("app"))
    ends = f"{bench.up.host}/app:1", f"{bench.down.host}/app:1"
    assert imagesync("sync", "--referrer-type", SBOM, *ends).code == 0
    assert attached[SBOM].digest in bench.there("app").manifests
    assert attached[SIGNATURE].digest not in bench.there("app").manifests
    assert imagesync("check", "--referrer-type", SBOM, *ends).code == 0
    differs = imagesync("check", "--referrer-type", SIGNATURE, *ends)
    assert (differs.code, f"sync --referrer-type {SIGNATURE}" in differs.err) == (8, True)
    assert imagesync("sync", "--referrer-type", "sbom", *ends).code == 2
    assert imagesync("sync", "--referrer-type", SBOM, "--file", "images.yaml").code == 2
    assert imagesync("sync", "--referrer-type", SBOM, "--require-signature", *ends).code == 0
    assert attached[SIGNATURE].digest in bench.there("app").manifests


@pytest.mark.parametrize("rule", [{"overwrite": "never"}, {"minimum_age": "30d"}])
def test_no_rule_of_two_is_dropped(bench: Bench, rule: dict[str, str]) -> None:
    """Two entries for one tag that say different things of it are refused, in either order, and nothing moves."""
    image("old").seed(bench.there("app"), "1")
    bench.seed("app", "1")
    before = bench.tags("app")
    entries = [bench.entry("app", tags=["*"]), bench.entry("app", "1", **rule)]
    for order in (entries, entries[::-1]):
        bench.write(*order)
        finished = bench.sync()
        assert (finished.code, "by different rules" in finished.err) == (2, True), finished.err
    assert bench.tags("app") == before
    bench.write(*entries, defaults=rule)
    assert "by different rules" not in bench.sync().err
