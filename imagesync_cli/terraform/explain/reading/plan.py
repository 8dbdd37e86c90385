"""What a plan holds of the modules' images: each call of a module with its objects and with what its reads answered.

The objects tell what is ours, not their names alone: each has a digest in its key and in its input, and remembers what
is to become of it. A plan may come from any version of the modules, of Terraform, or of OpenTofu.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from imagesync_cli.terraform.explain.reading.configured import configured
from imagesync_cli.terraform.explain.reading.stored import Stored, at, read_stored
from imagesync_cli.values.digest import is_digest
from imagesync_cli.values.documents import read_document

Document = dict[str, Any]
# What comes after all copies, and so before removals: one object, or in earlier modules one for each image.
_ORDERING = ("terraform_data.done", "terraform_data.settled")
# What one read answers about 10,000 images with all that can be asked.
_MOST_VALUES = 1_000_000


@dataclass(frozen=True)
class ImageChange:
    """What a plan does to one object of an image; ``key`` is that of its entry, ``actions`` are Terraform's words."""

    module: str
    key: str
    digest: str
    address: str
    actions: tuple[str, ...]
    reason: str
    before: Stored | None
    after: Stored | None
    is_tainted: bool = False

    @property
    def goes(self) -> bool:
        """Whether the object is gone afterwards."""
        return self.before is not None and self.after is None


@dataclass
class Call:
    """One call of modules/images, at its address; reads that are put off to the apply are None."""

    module: str
    changes: list[ImageChange] = field(default_factory=list)
    on_replace: Any = None  # as these are configured, where the plan says so
    keep_last: Any = None
    first_planned: set[str] = field(default_factory=set)  # the keys of what earlier modules plan for the first time
    orders_removals: bool = False  # whether what keeps the order of copies and removals is in the plan
    source: Reading | None = None
    destination: Reading | None = None
    trust: Reading | None = None
    left_out: list[Stored] = field(default_factory=list)  # objects that are in the state and not in the plan
    refusals: dict[str, list[str]] = field(default_factory=dict)  # sentences by key
    failures: list[str] = field(default_factory=list)  # what else has failed the plan

    @property
    def is_ours(self) -> bool:
        """Whether there is an image, or was to be one: objects tell, or what our program has answered."""
        has_read = self.source is not None or self.destination is not None
        return bool(self.changes or self.left_out or (has_read and (self.refusals or self.failures)))

    @property
    def wanted(self) -> list[ImageChange]:
        """What is there afterwards."""
        return [change for change in self.changes if change.after is not None]

    def is_new(self, change: ImageChange) -> bool:
        """Whether this image is planned for the first time, at this digest."""
        return change.before is None or f"{change.key}@{change.digest}" in self.first_planned


@dataclass(frozen=True)
class Reading:
    """What was asked about each entry, and the answers; ``is_secret`` where the plan hides the question."""

    asked: Mapping[str, Document]
    answers: Mapping[str, Document]
    is_secret: bool = False


class Plan:
    """A plan, read once."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self._calls: dict[str, Call] = {}
        prior = list(_prior_resources(document))
        self._tainted = {_text(resource.get("address")) for _, resource in prior if resource.get("tainted") is True}
        for resource in _dicts(document.get("resource_changes")):
            self._add(resource)
        planned = {module for module, call in self._calls.items() if call.changes}
        for module, resource in prior:
            self._add_prior(module, resource, in_plan=module in planned)
        for check in _dicts(document.get("checks")):
            self._add_refusals(check)

    @property
    def is_errored(self) -> bool:
        """Whether it ended with an error, and cannot be applied.

        Terraform 1.5 does not say so, but what has failed: any condition, except that of a check block.
        """
        if "errored" in self.document:
            return self.document["errored"] is True
        checks = _dicts(self.document.get("checks"))
        return any(each.get("status") == "fail" and at(each, "address", "kind") != "check" for each in checks)

    @property
    def is_complete(self) -> bool:
        """Whether it leaves nothing out, by -target or otherwise; older Terraform does not say."""
        return self.document.get("complete") is not False

    @cached_property
    def calls(self) -> list[Call]:
        """The calls that have images, or would have had them."""
        return [call for _, call in sorted(self._calls.items()) if call.is_ours]

    @property
    def variables(self) -> tuple[Document, Document]:
        """The variables of the root module: how they are declared, and what they are given."""
        root = at(self.document.get("configuration"), "root_module", "variables")
        given = self.document.get("variables")
        return (root if isinstance(root, dict) else {}), (given if isinstance(given, dict) else {})

    def others(self) -> Iterator[Document]:
        """What else changes: resources that are in none of our calls."""
        ours = {call.module for call in self.calls}
        for resource in _dicts(self.document.get("resource_changes")):
            if resource.get("mode") == "managed" and resource.get("module_address", "") not in ours:
                yield resource

    def _call(self, module: str) -> Call:
        if module not in self._calls:
            policies = {name: configured(self.document, module, name) for name in ("on_replace", "keep_last")}
            self._calls[module] = Call(module, **policies)
        return self._calls[module]

    def _add(self, resource: Document) -> None:
        name, module = _name_of(resource), _text(resource.get("module_address"))
        change = resource.get("change")
        if not isinstance(change, dict) or resource.get("deposed"):
            return  # a deposed object goes without a command
        if name in _ORDERING:
            self._call(module).orders_removals = True
            if change.get("before") is None:
                self._call(module).first_planned.add(_text(resource.get("index")))
        elif name == "terraform_data.image" and (image := self._image_change(resource, change)):
            self._call(module).changes.append(image)

    def _image_change(self, resource: Document, change: Document) -> ImageChange | None:
        key, _, digest = _text(resource.get("index")).rpartition("@")
        unknown, secret = change.get("after_unknown"), change.get("after_sensitive")
        before = read_stored(digest, change.get("before"), None, change.get("before_sensitive"))
        after = read_stored(digest, change.get("after"), unknown, secret)
        if not key or not is_digest(digest) or (before is None and after is None):
            return None
        address = _text(resource.get("address"))
        actions = tuple(map(_text, _list(change.get("actions"))))
        return ImageChange(
            module=_text(resource.get("module_address")),
            key=key,
            digest=digest,
            address=address,
            actions=actions,
            reason=_text(resource.get("action_reason")),
            before=before,
            after=after,
            is_tainted=address in self._tainted,
        )

    def _add_prior(self, module: str, resource: Document, *, in_plan: bool) -> None:
        name = _name_of(resource)
        values, secret = resource.get("values"), resource.get("sensitive_values")
        index = _text(resource.get("index"))
        if name == "terraform_data.image" and not in_plan:
            if stored := read_stored(index.rpartition("@")[2], values, None, secret):
                self._call(module).left_out.append(stored)
        elif name in ("external.source", "external.destination", "external.trust"):
            setattr(self._call(module), resource["name"], _reading(values, secret))

    def _add_refusals(self, check: Document) -> None:
        """What has failed the plan. A check block that fails is a warning, and says what the objects say as well."""
        for instance in _dicts(check.get("instances")):
            address = instance.get("address")
            if (
                not isinstance(address, dict)
                or instance.get("status") != "fail"
                or at(check, "address", "kind") == "check"
            ):
                continue
            module, key = _text(address.get("module")), _text(address.get("instance_key")).rpartition("@")[0]
            messages = [_text(problem.get("message")) for problem in _dicts(instance.get("problems"))]
            if key and _text(address.get("to_display")).startswith(f"{module}.terraform_data.image[".lstrip(".")):
                self._call(module).refusals[key] = messages
            elif module in self._calls:
                self._calls[module].failures += messages


def _prior_resources(document: Document) -> Iterator[tuple[str, Document]]:
    """The state that the plan began with, and what its reads answered, each with the address of its module."""
    prior = document.get("prior_state")
    values = prior.get("values") if isinstance(prior, dict) else None
    modules = [values.get("root_module")] if isinstance(values, dict) else []
    while modules:
        module = modules.pop()
        if isinstance(module, dict):
            modules.extend(_list(module.get("child_modules")))
            for resource in _dicts(module.get("resources")):
                yield _text(module.get("address")), resource


def _reading(values: Any, secret: Any) -> Reading | None:
    query, result = (values.get(name) if isinstance(values, dict) else None for name in ("query", "result"))
    if not isinstance(query, dict) or not isinstance(result, dict):
        return None
    answers = {key: _document(text) for key, text in result.items()}
    return Reading(_document(query.get("images")), answers, at(secret, "query", "images") is True)


def _document(text: Any) -> Document:
    """What a text in a plan holds; nothing where it is none of our answers."""
    try:
        document = read_document(text.encode("utf-8", "replace"), _MOST_VALUES) if isinstance(text, str) else {}
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _name_of(resource: Document) -> str:
    return f"{resource.get('type')}.{resource.get('name')}"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _dicts(value: Any) -> list[Document]:
    return [each for each in _list(value) if isinstance(each, dict)]
