"""Terraform's question: what is asked by key. A key that makes no sense is that key's error, and hides no other."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from imagesync_cli.look.selection import WHOLE, Selection
from imagesync_cli.values.documents import why_misread
from imagesync_cli.values.errors import ImagesyncError, UsageError
from imagesync_cli.values.reference import Reference, parse_reference

if TYPE_CHECKING:
    from collections.abc import Mapping

    from imagesync_cli.look.estimate import Intent
    from imagesync_cli.look.trust.age import MinimumAge
    from imagesync_cli.stores.files.runs.seen import Seen
    from imagesync_cli.terraform.rules import Rules
    from imagesync_cli.terraform.young import Waiting
    from imagesync_cli.values.platforms import Platform
    from imagesync_cli.values.tags.rules import TagRules

_EXAMPLE = 'ask {"images": "{\\"app\\": \\"registry.example.com/app:1.0\\"}"} or {"source": …, "destination": …}'
_IMAGE_EXAMPLE = 'like {"reference": "registry.example.com/app:1.0", "platforms": ["linux/amd64"]}'
_COPY_EXAMPLE = 'its copy is like {"source": "docker.io/library/app:1.0", "digest": "sha256:…", "estimated": true}'
_BESIDE = ("call", "run", "workspace", "lock_file", "trust")
_MEMBERS = frozenset({"reference", "digest", "platforms", "referrers", "verify", "copy", "tags", "describe", "waiting"})
_COPY_MEMBERS = frozenset(
    {"source", "digest", "source_digest", "platforms", "estimated", "sized", "max_size_bytes"}
    | {"required_platforms", "signed", "minimum_age"}
)


@dataclass(frozen=True)
class Image:
    """What is asked about one reference."""

    reference: Reference
    selection: Selection = WHOLE
    deep: bool = False  # all below the digest is looked at
    intent: Intent | None = None  # what would be copied to it
    described: bool = False  # its platforms and its size are wanted
    waiting: Waiting | None = None  # which of the tags that are picked have to wait
    tags: TagRules | None = None  # the reference is a repository, and all that these pick is asked for


@dataclass(frozen=True)
class Query:
    """A question: what is asked by key, where one that makes no sense, or has no answer, is the error that says so."""

    asked: Mapping[str, Image | ImagesyncError]
    compares: bool  # the form with source and destination
    new_call: bool = False  # whether the answer has an ID for a new call of a module
    call: str = ""  # of a module, which relies on what these references are to be; "" for nobody
    run: str = ""  # when that is
    workspace: str = ""  # of Terraform, where that is
    rivals: dict[str, list[str]] = field(default_factory=dict)  # other calls' keys with the same destination, by ours
    seen: Seen | None = None  # where what this call's references are is noted
    rules: Rules | None = None  # what these references may be, as sources
    lock_file: str = ""  # where these sources are locked, and then nobody is asked
    trust: str = ""  # rules about who must have signed these sources, as JSON; then nothing else is asked
    brief: bool = False  # the answers leave out what is empty and what the question says

    @property
    def sound(self) -> dict[str, Image]:
        """Those that can be asked for."""
        return {key: image for key, image in self.asked.items() if isinstance(image, Image)}

    @property
    def wrong(self) -> dict[str, ImagesyncError]:
        """Why the others cannot."""
        return {key: error for key, error in self.asked.items() if isinstance(error, ImagesyncError)}


def read_query(text: str) -> Query:
    """The question in a JSON text, or UsageError if it is none of the two."""
    asked = _object(text, "the query")
    if "images" in asked and set(asked) <= {"images", "all", "rules", "new_call", "brief", *_BESIDE}:
        every = _object(asked["all"], "all", strings=False) if asked.get("all") else {}
        images = _object(asked["images"], "images", or_objects=True)
        if asked.get("call"):
            from imagesync_cli.stores.files.runs.claimed import check_call

            check_call(asked["call"])
            if asked.get("trust"):
                raise UsageError("a call's images are destinations, and trust is asked of sources", hint=_EXAMPLE)
        return Query(
            {key: _image_or_error(_completed(image, every)) for key, image in images.items()},
            compares=False,
            rules=_rules(_object(asked["rules"], "rules", strings=False)) if asked.get("rules") else None,
            **{name: asked.get(name, "") for name in _BESIDE},
            new_call=_from_text(asked, "new_call"),
            brief=_from_text(asked, "brief"),
        )
    if "source" in asked and set(asked) <= {"source", "destination", "platforms", "referrers", "verify"}:
        # Terraform sends null as "": a side, or a choice, that is left out.
        source: dict[str, Any] = {"reference": asked["source"]}
        if asked.get("platforms"):
            source["platforms"] = asked["platforms"].split(",")
        destination: dict[str, Any] = {"reference": asked.get("destination", ""), "verify": asked.get("verify", "")}
        source["referrers"] = destination["referrers"] = _from_text(asked, "referrers")
        sides = {"source": source, "destination": destination}
        return Query(
            {side: _image_or_error(wanted) for side, wanted in sides.items() if asked.get(side)}, compares=True
        )
    raise UsageError(f"the query has the keys {', '.join(sorted(asked)[:5])[:200] or 'none'}", hint=_EXAMPLE)


def _rules(rules: dict[str, Any]) -> Rules:
    from imagesync_cli.terraform.rules import Rules

    allowed, digest = rules.get("allowed_sources", ["**"]), rules.get("require_digest", False)
    is_list = isinstance(allowed, list) and all(isinstance(each, str) for each in allowed)
    if rules.keys() - {"allowed_sources", "require_digest"} or not is_list or not isinstance(digest, bool):
        raise UsageError("rules are allowed_sources and require_digest", hint=_EXAMPLE)
    return Rules(tuple(allowed), digest)


def _completed(image: Any, every: dict[str, Any]) -> Any:
    """The image with the defaults in ``every``, also within its objects."""
    if not every:
        return image
    own = {"reference": image} if isinstance(image, str) else image
    both = {name: more for name, more in every.items() if isinstance(more, dict) and isinstance(own.get(name), dict)}
    return every | own | {name: _completed(own[name], more) for name, more in both.items()}


def _image_or_error(wanted: str | dict[str, Any]) -> Image | UsageError:
    try:
        return Image(parse_reference(wanted)) if isinstance(wanted, str) else _image(wanted)
    except UsageError as error:
        return error


def _image(image: dict[str, Any]) -> Image:
    if unknown := image.keys() - _MEMBERS:
        raise UsageError(f"an image has no {', '.join(map(repr, sorted(unknown)))}", hint=_IMAGE_EXAMPLE)
    reference = _text(image, "reference", None)
    verify = image.get("verify", "")
    if verify not in ("", "tag", "deep"):
        raise UsageError('the \'verify\' of an image is "tag" or "deep"', hint=_IMAGE_EXAMPLE)
    referrers = _flag(image, "referrers")
    selection = Selection(_digest(image), _platforms(image, "platforms"), referrers)
    copy = image.get("copy")
    intent = _intent(copy, referrers=referrers) if copy is not None else None
    asked = Image(parse_reference(reference), selection, verify == "deep", intent, _flag(image, "describe"))
    if image.get("tags") is None:
        return asked
    from imagesync_cli.terraform.picked import read_rules

    asked = replace(asked, tags=read_rules(image["tags"], asked.reference, reference))
    return replace(asked, waiting=_waiting(image["waiting"])) if image.get("waiting") else asked


def _waiting(waiting: Any) -> Waiting | None:
    from imagesync_cli.terraform.young import Waiting

    if not isinstance(waiting, dict) or not isinstance(waiting.get("destination"), str):
        raise UsageError("the 'waiting' of an image is a minimum_age with the 'destination'", hint=_COPY_EXAMPLE)
    rule = {name: value for name, value in waiting.items() if name != "destination"}
    return Waiting(parse_reference(waiting["destination"]), _minimum_age(rule))


def _intent(copy: Any, *, referrers: bool) -> Intent:
    from imagesync_cli.look.estimate import Intent
    from imagesync_cli.values.digest import is_digest

    if not isinstance(copy, dict):
        raise UsageError("the 'copy' of an image is an object", hint=_COPY_EXAMPLE)
    if unknown := copy.keys() - _COPY_MEMBERS:
        raise UsageError(f"a copy has no {', '.join(map(repr, sorted(unknown)))}", hint=_COPY_EXAMPLE)
    source, digest = copy.get("source"), copy.get("digest")
    whole = copy.get("source_digest", digest)
    # Without a digest the destination's own is meant, as it is gone on with where the source is away.
    known = digest == whole == "" or all(isinstance(each, str) and is_digest(each) for each in (digest, whole))
    most = copy.get("max_size_bytes", 0)
    if not isinstance(source, str) or not known or not isinstance(most, int):
        raise UsageError("a copy names its 'source', and its 'digest' there", hint=_COPY_EXAMPLE)
    return Intent(
        parse_reference(source),
        str(digest),
        Selection(str(whole), _platforms(copy, "platforms"), referrers),
        estimated=_flag(copy, "estimated"),
        sized=_flag(copy, "sized") or most > 0,
        max_size_bytes=most,
        required=_platforms(copy, "required_platforms"),
        signed=_flag(copy, "signed"),
        minimum_age=_minimum_age(copy["minimum_age"]) if copy.get("minimum_age") else None,
    )


def _minimum_age(rule: Any) -> MinimumAge:
    from imagesync_cli.look.trust.age import parse_minimum_age

    if not isinstance(rule, dict) or rule.keys() - {"least", "new", "ignored", "by_created", "seen"}:
        raise UsageError("a minimum_age has least, new, ignored, by_created and seen", hint=_COPY_EXAMPLE)
    ignored = rule.get("ignored", [])
    if not isinstance(ignored, list):
        raise UsageError("the 'ignored' of a minimum_age are a list of digests", hint=_COPY_EXAMPLE)
    read = parse_minimum_age(
        str(rule.get("least", "")),
        str(rule.get("new", "wait")),
        [str(digest) for digest in ignored],
        by_created=_flag(rule, "by_created"),
    )
    return replace(read, seen=str(rule.get("seen") or ""))


def _digest(image: dict[str, Any]) -> str:
    """That of the whole image, "" for what the reference names."""
    from imagesync_cli.values.digest import parse_digest

    digest = _text(image, "digest", "")
    return parse_digest(digest) if digest else ""


def _text(image: dict[str, Any], name: str, default: str | None) -> str:
    text = image.get(name, default)
    if not isinstance(text, str):
        raise UsageError(f"the '{name}' of an image is a string", hint=_IMAGE_EXAMPLE)
    return text


def _flag(image: dict[str, Any], name: str) -> bool:
    value = image.get(name, False)
    if not isinstance(value, bool):
        raise UsageError(f"the '{name}' of an image is true or false", hint=_IMAGE_EXAMPLE)
    return value


def _from_text(asked: dict[str, str], name: str) -> bool:
    text = asked.get(name, "")
    if text not in ("", "true", "false"):
        raise UsageError(f'{name} is "true" or "false", not {text!r}', hint=_EXAMPLE)
    return text == "true"


def _platforms(image: dict[str, Any], name: str) -> tuple[Platform, ...]:
    names = image.get(name, [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise UsageError(f"the '{name}' of an image are a list of strings", hint=_IMAGE_EXAMPLE)
    if not names:
        return ()
    from imagesync_cli.values.platforms import parse_platform

    return tuple(parse_platform(name.strip()) for name in names)


def _object(text: str, what: str, *, or_objects: bool = False, strings: bool = True) -> dict[str, Any]:
    """A JSON object whose values are strings, ``or_objects``, or anything."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{what} is not JSON: {why_misread(error)}", hint=_EXAMPLE) from error
    if not isinstance(document, dict):
        raise UsageError(f"{what} is not a JSON object", hint=_EXAMPLE)
    for key, value in document.items() if strings else ():
        if not isinstance(value, str) and not (or_objects and isinstance(value, dict)):
            raise UsageError(f"{what}: the value of {key[:200]!r} is not a string", hint=_EXAMPLE)
    return document
