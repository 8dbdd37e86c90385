"""What a plan holds of the modules' images: each call of a module with its objects and with what its reads answered.

The objects tell what is ours, not their names alone: each has a digest in its key and in its input, and remembers what
is to become of it. A plan may come from any version of the modules, of Terraform, or of OpenTofu.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from imagesync_cli.terraform.explain.reading.members import Document, items, mapping, mappings, member, text
from imagesync_cli.terraform.explain.reading.stored import Place, Stored, at, read_stored
from imagesync_cli.values.digest import is_digest
from imagesync_cli.values.documents import read_document

ROOT = "the root module"
# What comes after all copies, and so before removals: one object, or in earlier modules one for each image.
_ORDERING = ("terraform_data.done", "terraform_data.settled")
# What one read answers about 10,000 images with all that can be asked.
_MOST_VALUES = 1_000_000
_STEP = re.compile(r'module\.([\w-]+)(?:\[(?:"(?:[^"\\]|\\.)*"|[0-9]+)\])?(?:\.|$)')  # of a module's address


@dataclass(frozen=True)
class ImageChange:
    """What a plan does to one object of an image; ``key`` is that of its entry, ``actions`` are Terraform's words."""

    call: Call = field(repr=False, compare=False)
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

    @property
    def is_new(self) -> bool:
        """Whether this image is planned for the first time, at this digest."""
        return self.before is None or f"{self.key}@{self.digest}" in self.call.first_planned

    @property
    def module(self) -> str:
        return self.call.module

    @property
    def entry(self) -> str:
        """Its entry, for people."""
        return f"{self.key} of {self.module}" if self.module else self.key

    @property
    def place(self) -> Place | None:
        """Where the image is afterwards; None if that is not known, or nowhere."""
        return self.after.place if self.after else None

    @property
    def present(self) -> str:
        """What its destination has now, as far as the plan knows."""
        return text(self.call.destination.answer(self.key), "digest")


@dataclass(frozen=True)
class Reading:
    """What was asked about each entry, and the answers; ``is_secret`` where the plan hides the question."""

    asked: Mapping[str, Document]
    answers: Mapping[str, Document]
    is_secret: bool = False

    def answer(self, key: str) -> Document:
        """The answer about this entry, an empty one where there is none."""
        return self.answers.get(key, {})


# What is put off to the apply.
UNREAD = Reading({}, {})


@dataclass
class Call:
    """One call of modules/images, at its address."""

    module: str
    changes: list[ImageChange] = field(default_factory=list)
    on_replace: Any = None  # as these are configured, where the plan says so
    overwrite: Any = None
    first_planned: set[str] = field(default_factory=set)  # the keys of what earlier modules plan for the first time
    copies: bool = False  # whether the process runs that copies for all entries, whichever objects are in the plan
    ends: bool = False  # whether all images of the call go, and after them what its entries still name
    orders_removals: bool = False  # whether what keeps the order of copies and removals is in the plan
    source: Reading = UNREAD
    destination: Reading = UNREAD
    trust: Reading = UNREAD
    prior: dict[str, Stored] = field(default_factory=dict)  # objects that are in the state, by KEY@DIGEST
    left_out: list[Stored] = field(default_factory=list)  # those of a call that has none in the plan
    refusals: dict[str, list[str]] = field(default_factory=dict)  # sentences by key
    failures: list[str] = field(default_factory=list)  # what else has failed the plan

    @property
    def is_ours(self) -> bool:
        """Whether there is an image, or was to be one: objects tell, or what our program has answered."""
        has_read = self.source is not UNREAD or self.destination is not UNREAD
        return bool(self.changes or self.left_out or (has_read and (self.refusals or self.failures or self.copies)))

    @property
    def name(self) -> str:
        """Its address, for people."""
        return self.module or ROOT

    @property
    def retags(self) -> bool:
        """Whether a replaced image gets a tag of its own. Where the configuration does not say, new objects may."""
        if self.on_replace is None:
            return any(change.after.keep_last for change in self.changes if change.after is not None)
        return bool(self.on_replace == "retag")

    @property
    def wanted(self) -> list[ImageChange]:
        """What is there afterwards."""
        return [change for change in self.changes if change.after is not None]


class Plan:
    """A plan, read once."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self._calls: dict[str, Call] = {}
        prior = list(_prior_resources(document))
        self._tainted = {text(resource, "address") for _, resource in prior if resource.get("tainted") is True}
        for resource in mappings(document, "resource_changes"):
            self._add(resource)
        planned = {module for module, call in self._calls.items() if call.changes}
        for module, resource in prior:
            self._add_prior(module, resource, in_plan=module in planned)
        for check in mappings(document, "checks"):
            self._add_refusals(check)

    @property
    def is_errored(self) -> bool:
        """Whether it ended with an error, and cannot be applied.

        Terraform 1.5 does not say so, but what has failed: any condition, except that of a check block.
        """
        if "errored" in self.document:
            return self.document["errored"] is True
        checks = mappings(self.document, "checks")
        return any(each.get("status") == "fail" and at(each, "address", "kind") != "check" for each in checks)

    @cached_property
    def calls(self) -> list[Call]:
        """The calls that have images, or would have had them."""
        return [call for _, call in sorted(self._calls.items()) if call.is_ours]

    @property
    def variables(self) -> tuple[Document, Document]:
        """The variables of the root module: how they are declared, and what they are given."""
        declared = mapping(self.document, "configuration", "root_module", "variables")
        return declared, mapping(self.document, "variables")

    def others(self) -> Iterator[Document]:
        """What else changes: resources that are in none of our calls."""
        ours = {call.module for call in self.calls}
        for resource in mappings(self.document, "resource_changes"):
            if resource.get("mode") == "managed" and text(resource, "module_address") not in ours:
                yield resource

    def _call(self, module: str) -> Call:
        if module not in self._calls:
            policies = {name: _configured(self.document, module, name) for name in ("on_replace", "overwrite")}
            self._calls[module] = Call(module, **policies)
        return self._calls[module]

    def _add(self, resource: Document) -> None:
        name, module = _name_of(resource), text(resource, "module_address")
        change = resource.get("change")
        if not isinstance(change, dict) or resource.get("deposed"):
            return  # a deposed object goes without a command
        if name in _ORDERING:
            self._call(module).orders_removals = True
            if change.get("before") is None:
                self._call(module).first_planned.add(text(resource, "index"))
        elif name == "terraform_data.image" and (image := self._image_change(resource, change)):
            self._call(module).changes.append(image)
        elif name == "terraform_data.copies":
            self._call(module).copies = "create" in items(change, "actions")
            runs = text(change, "before", "input") and text(resource, "address") not in self._tainted
            self._call(module).ends = bool(runs) and items(change, "actions") == ["delete"]

    def _image_change(self, resource: Document, change: Document) -> ImageChange | None:
        key, _, digest = text(resource, "index").rpartition("@")
        unknown, secret = change.get("after_unknown"), change.get("after_sensitive")
        before = read_stored(digest, change.get("before"), None, change.get("before_sensitive"))
        after = read_stored(digest, change.get("after"), unknown, secret)
        if not key or not is_digest(digest) or (before is None and after is None):
            return None
        address = text(resource, "address")
        return ImageChange(
            call=self._call(text(resource, "module_address")),
            key=key,
            digest=digest,
            address=address,
            actions=tuple(map(str, items(change, "actions"))),
            reason=text(resource, "action_reason"),
            before=before,
            after=after,
            is_tainted=address in self._tainted,
        )

    def _add_prior(self, module: str, resource: Document, *, in_plan: bool) -> None:
        name = _name_of(resource)
        values, secret = resource.get("values"), resource.get("sensitive_values")
        index = text(resource, "index")
        if name == "terraform_data.image":
            if stored := read_stored(index.rpartition("@")[2], values, None, secret):
                self._call(module).prior[index] = stored
                self._call(module).left_out += [] if in_plan else [stored]
        elif name in ("external.source", "external.destination", "external.trust"):
            setattr(self._call(module), resource["name"], _reading(values, secret))

    def _add_refusals(self, check: Document) -> None:
        """What has failed the plan. A check block that fails is a warning, and says what the objects say as well."""
        if at(check, "address", "kind") == "check":
            return
        for instance in mappings(check, "instances"):
            address = instance.get("address")
            if instance.get("status") != "fail" or not isinstance(address, dict):
                continue
            module, key = text(address, "module"), text(address, "instance_key").rpartition("@")[0]
            messages = [text(problem, "message") for problem in mappings(instance, "problems")]
            is_image = text(address, "to_display").startswith(f"{module}.terraform_data.image[".lstrip("."))
            if key and is_image:
                self._call(module).refusals[key] = messages
            elif module in self._calls:
                self._calls[module].failures += messages


def _configured(document: Document, module: str, variable: str) -> Any:
    """The value that this variable has in the module at this address; None where the plan does not say.

    A variable that is passed on as it is, from the root or from one module to the next, is followed.
    """
    inside, given = member(document, "configuration", "root_module"), member(document, "variables", variable)
    value = member(given, "value") if given else member(inside, "variables", variable, "default")
    for name in _STEP.findall(module):
        call = member(inside, "module_calls", name)
        inside, expression = member(call, "module"), member(call, "expressions", variable)
        if expression is None:
            value = member(inside, "variables", variable, "default")
        elif member(expression, "references") != [f"var.{variable}"]:
            value = member(expression, "constant_value")
    return value


def _prior_resources(document: Document) -> Iterator[tuple[str, Document]]:
    """The state that the plan began with, and what its reads answered, each with the address of its module."""
    modules = [member(document, "prior_state", "values", "root_module")]
    while modules:
        module = modules.pop()
        modules.extend(items(module, "child_modules"))
        for resource in mappings(module, "resources"):
            yield text(module, "address"), resource


def _reading(values: Any, secret: Any) -> Reading:
    query, result = member(values, "query"), member(values, "result")
    if not isinstance(query, dict) or not isinstance(result, dict):
        return UNREAD
    answers = {key: _document(answer) for key, answer in result.items()}
    return Reading(_document(query.get("images")), answers, at(secret, "query", "images") is True)


def _document(value: Any) -> Document:
    """What a text in a plan holds; nothing where it is none of our answers."""
    try:
        return mapping(read_document(value.encode("utf-8", "replace"), _MOST_VALUES)) if isinstance(value, str) else {}
    except ValueError:
        return {}


def _name_of(resource: Document) -> str:
    return f"{resource.get('type')}.{resource.get('name')}"
