"""Which tags the rules pick: globs, expressions, ranges of versions, the newest few."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagesync_cli.values.errors import UsageError
from imagesync_cli.values.tags.rules import TagRules, newest_first
from imagesync_cli.values.tags.versions import parse_range, parse_version

TAG = st.one_of(
    st.from_regex(r"v?[0-9]{1,2}(\.[0-9]{1,2}){0,3}(-(rc|beta|alpine)\.?[0-9]?)?", fullmatch=True),
    st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,8}", fullmatch=True),
)
PATTERN = st.sampled_from(["*", "1.*", "v*", "*-rc*", "[0-9]*", "/^v\\d+$/", "/alpine/", "1.2", "latest", "?.?"])
RULES = st.builds(
    TagRules,
    st.lists(PATTERN, max_size=3).map(tuple),
    st.lists(PATTERN, max_size=2).map(tuple),
    st.sampled_from(["", ">=1.2 <2", "^1", "~1.2", "1.x || 3", "*"]),
    st.none() | st.integers(1, 4),
)


@pytest.mark.parametrize(
    ("range_", "inside", "outside"),
    [
        (">=1.24 <2", "1.24 1.24.0 v1.25.3 1.99", "1.23.9 2 2.0.0 1.24.0-rc.1 1.25.0-rc1 2.0.0-rc.1"),
        (">=1.24.0-rc.1 <2", "1.24.0-rc.1 1.24.0-rc.2 1.24.0 1.25.0", "1.24.0-beta 1.25.0-rc.1"),
        ("1.24", "1.24 1.24.7", "1.25 1.23.9 1.24.1-alpine"),
        ("=1.24.7", "1.24.7 v1.24.7", "1.24.8 1.24"),
        ("^1.2.3", "1.2.3 1.9", "1.2.2 2.0.0"),
        ("^0.2.3", "0.2.3 0.2.9", "0.3.0 0.2.2"),
        ("^0.0.3", "0.0.3", "0.0.4 0.1.0"),
        ("^1", "1 1.9.9", "2 0.9"),
        ("~1.2.3", "1.2.3 1.2.9", "1.3.0 1.2.2"),
        ("~1.2", "1.2 1.2.9", "1.3"),
        ("~1", "1.0 1.9", "2.0"),
        ("1.x", "1.0 1.9.9", "2.0 0.9"),
        ("1.2.*", "1.2.0 1.2.9", "1.3.0"),
        ("*", "0.0.1 99", "1.0.0-rc1 latest"),
        (">1.24", "1.25.0", "1.24 1.24.9"),
        ("<=1.24", "1.24.9 1.0", "1.25.0"),
        (">= 1.24, < 2", "1.24", "2.0"),
        ("1.2 - 1.4", "1.2.0 1.4.9", "1.5.0 1.1.9"),
        ("<1 || >=3", "0.9 3.0", "1.0 2.9"),
        ("1.2.3.4", "1.2.3.4", "1.2.3.5 1.2.3"),
    ],
)
def test_ranges(range_: str, inside: str, outside: str) -> None:
    """A range takes what npm's would; a pre-release only where a bound names one of the same version."""
    wanted = parse_range(range_)
    assert [tag for tag in inside.split() if parse_version(tag) not in wanted] == []
    assert [tag for tag in outside.split() if parse_version(tag) in wanted] == []


@pytest.mark.parametrize("text", ["", "abc", "1.2.3.4.5", ">=1 ||", "1.24<", "==1", "^", "1..2", ">=1.24;<2"])
def test_what_is_no_range_is_refused(text: str) -> None:
    """A slip in a range is an error that shows a right one, never a range that takes nothing."""
    with pytest.raises(UsageError, match="range"):
        parse_range(text)


def test_versions_in_their_order() -> None:
    """The order is SemVer's, the newest first, and what is no version comes last."""
    order = ["2.0", "1.10.0", "1.10", "1.9", "1.0.0", "1.0.0-rc.11", "1.0.0-rc.2", "1.0.0-beta", "1.0.0-1", "edge"]
    assert newest_first(sorted(order)) == order


@pytest.mark.parametrize(
    ("rules", "picked"),
    [
        (TagRules(("1.*",)), "1.27 1.26 1.25-rc1 1.25-alpine"),
        (TagRules(("1.*",), ("*-rc*",)), "1.27 1.26 1.25-alpine"),
        (TagRules(("/^v\\d+$/",)), "v3 v2"),
        (TagRules(semver=">=1.24 <2"), "1.27 1.26"),
        (TagRules(latest=2), "v3 v2"),
        (TagRules(("1.*",), latest=2), "1.27 1.26"),
        (TagRules(("latest", "1.27")), "1.27 latest"),
        (TagRules(("LATEST",)), ""),
        (TagRules(exclude=("1*", "v*")), "latest"),
    ],
)
def test_rules(rules: TagRules, picked: str) -> None:
    """Globs and expressions choose, exclude takes away, then versions count."""
    tags = ["1.25-alpine", "1.25-rc1", "1.26", "1.27", "latest", "v2", "v3", f"sha256-{'a' * 64}.sig"]
    assert rules.pick(tags) == picked.split()


@pytest.mark.parametrize(
    ("newest_first_", "what"),
    [
        ("1.0-rc10 1.0-rc9 1.0-rc1 1.0-rc", "runs of digits in a word"),
        ("1.2.3-debian-12-r10 1.2.3-debian-12-r9 1.2.3-debian-11-r12", "revisions of a package"),
        ("3.19-r100 3.19-r21 3.19-r9", "revisions"),
        ("1.0-alpha10beta2 1.0-alpha9beta11", "several runs"),
        ("1.0-rc.10 1.0-rc.9", "SemVer's own form"),
        ("1.0-20240131 1.0-20231231", "dates of builds"),
        ("1.28 1.27 20240131", "a date"),
        ("1.28 2024-01-31 2023-12-31", "dates with dashes"),
        ("1.28 2024.01.31", "a date with points"),
        ("1.28 9876543 1234567", "hashes of digits alone"),
        ("v2 v1 v20240131", "a date with v"),
        ("2024.10.3 2024.10.2 2024.9.1 0.118", "calendar versions are versions"),
        ("24.04 22.04", "Ubuntu's are, too"),
        ("20240131 20231231 latest", "dates alone have their order"),
    ],
)
def test_what_is_newest(newest_first_: str, what: str) -> None:
    """Tags are in the order that whoever reads them expects, however they are spelled."""
    order = newest_first_.split()
    assert newest_first(sorted(order)) == newest_first(sorted(order, reverse=True)) == order, what
    numbered = [tag for tag in order if parse_version(tag)]
    assert TagRules(latest=1).pick(order) == numbered[:1]


@pytest.mark.parametrize(
    ("range_", "picked"),
    [
        (">=1.24", "1.28 1.24"),
        ("*", "1.28 1.24"),
        (">=20240101", "20240131"),
        (">=2024.01.01", "2024.02.29"),
        (">=2024", "2024.02.29"),
    ],
)
def test_a_date_is_in_no_range_of_versions(range_: str, picked: str) -> None:
    """A range of versions takes no date and no hash of digits, unless it names such a thing itself."""
    rules = TagRules(semver=range_)
    assert rules.pick(["1.24", "1.28", "20240131", "2024.02.29", "1234567"]) == picked.split()


def test_a_tag_named_in_full_stays() -> None:
    """What include names in full is picked beside the newest, and whatever the range is; exclude takes it away."""
    tags = ["latest", "edge", "1.28", "1.27", "1.26", "1.2"]
    assert TagRules(("latest", "1.*"), latest=2).pick(tags) == ["1.28", "1.27", "latest"]
    assert TagRules(("1.2", "1.*"), latest=2).pick(tags) == ["1.28", "1.27", "1.2"]
    assert TagRules(("edge", "*"), semver=">=1.28").pick(tags) == ["1.28", "edge"]
    assert TagRules(("edge", "1.*"), ("edge",), latest=1).pick(tags) == ["1.28"]


def test_variants_are_kept_apart() -> None:
    """With each_variant the newest of each variant are picked; pre-releases and revisions are no variants."""
    alpine = ["1.27-alpine3.20", "1.27-rc.1-alpine", "1.26-alpine", "1.25-alpine3.9"]
    tags = ["1.27", *alpine, "1.27-slim", "1.26", "1.26-rc2", "1.25", "1.27-r2"]
    assert TagRules(latest=1, each_variant=True).pick(tags) == ["1.27", "1.27-slim", "1.27-alpine3.20"]
    assert TagRules(("*alpine*",), latest=2, each_variant=True).pick(tags) == alpine[:2]
    with pytest.raises(UsageError, match="goes with latest"):
        TagRules(each_variant=True)


def test_a_pick_is_explained() -> None:
    """Every tag comes with the rule that decided about it."""
    tags = ["1.28", "1.27", "1.26", "1.26-rc1", "latest", "edge", "2.0", f"sha256-{'a' * 64}.sig"]
    rules = TagRules(("1.*", "latest", "e*"), ("*-rc*",), latest=2)
    assert {each.tag: (each.picked, each.why) for each in rules.judge(tags)} == {
        "2.0": (False, "matches no pattern of include"),
        "1.28": (True, "matches 1.*, is one of the newest 2"),
        "1.27": (True, "matches 1.*, is one of the newest 2"),
        "1.26": (False, "is older than the newest 2"),
        "1.26-rc1": (False, "excluded by *-rc*"),
        "latest": (True, "named in full"),
        "edge": (False, "is not a version, and latest counts versions"),
        tags[-1]: (False, "belongs to another image: a signature, or a list of referrers"),
    }
    assert TagRules(semver=">=1.27").judge(["1.26"])[0].why == "is not a version in >=1.27"
    assert TagRules().judge(["a"])[0].why == "nothing leaves it out"


@settings(deadline=None)
@given(RULES, st.lists(TAG, max_size=30, unique=True))
def test_a_pick_is_what_each_rule_allows(rules: TagRules, tags: list[str]) -> None:
    """Nothing is picked that is not there or that exclude names; latest bounds the number; order does not matter."""
    picked = rules.pick(tags)
    assert set(picked) <= set(tags)
    assert len(picked) == len(set(picked)) <= (rules.latest or len(tags)) + len(rules.literals)
    assert set(rules.literals) & set(tags) <= set(picked)
    assert {judged.tag for judged in rules.judge(tags)} == set(tags)
    assert all(judged.why for judged in rules.judge(tags))
    assert picked == rules.pick(tags[::-1])
    if rules.exclude:
        assert not set(picked) & set(TagRules(rules.exclude).pick(tags))


@settings(deadline=None)
@given(RULES, st.lists(TAG, max_size=30, unique=True), st.data())
def test_a_pick_needs_only_what_it_picked(rules: TagRules, tags: list[str], data: st.DataObject) -> None:
    """A lock holds picked tags alone, with those of other entries: the rules pick the same of them again."""
    picked = rules.pick(tags)
    others = [tag for tag in tags if data.draw(st.booleans())]
    assert rules.pick([*picked, *others]) == picked


@pytest.mark.parametrize("pattern", ["/(/", "/(?=a)b/", "/(a)\\1/", "a b", "a/b", "", "/x", "ä"])
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    """A pattern that can match no tag, or that needs backtracking, is an error and not an empty pick."""
    with pytest.raises(UsageError):
        TagRules((pattern,))
