"""Plans as `terraform show -json` prints them, as far as imagesync reads them; each is made up by a test.

That real ones look so is told by tests/terraform/test_explain.py and test_generated.py.
"""

from __future__ import annotations

import json
from typing import Any

from tests.command import Finished, imagesync

MODULE = "module.mirror"
HOST = "registry.example.com"
Document = dict[str, Any]


def digest(name: str) -> str:
    """A digest that differs from others by its name."""
    return f"sha256:{name.encode().hex():0<64}"


def stored(
    place: str,
    of: str,
    *,
    key: str = "app",
    on_replace: str = "delete",
    on_destroy: str = "delete",
    claimant: bool = True,
    keep_last: int | None = None,
) -> Document:
    """What an object remembers, by its names in earlier modules."""
    words = [
        "imagesync",
        "delete",
        *(["--claimant", f"c1/{key}"] if claimant else []),
        *("--digest", digest(of), "--on-replace", on_replace, "--on-destroy", on_destroy),
        *([] if keep_last is None else ["--keep-as", "{tag}-{date}-{digest}", "--keep-last", str(keep_last)]),
    ]
    return {"destination": f"{HOST}/{place}", "digest": digest(of), "delete": " ".join(words)}


def as_input(remembered: Document | None, form: str = "text") -> object:
    """The input of an object: one text, or as earlier modules have left it an "object" or one with a "list"."""
    if not remembered or form == "object":
        return remembered
    if form == "list":
        rest = {name: value for name, value in remembered.items() if name != "delete"}
        return {**rest, "delete_command": remembered["delete"].split(" ")}
    return f"{remembered['destination']} removed by: {remembered['delete']}" if "destination" in remembered else None


def old_of(change: Document) -> Document:
    """The first image that leaves its tag or its entry, with empty texts where there is none."""
    old: Document = (
        change["old"][0] if change["old"] else dict.fromkeys(("outcome", "why", "digest", "destination"), "")
    )
    return old


class PlanFile:
    """One plan; every method adds to it."""

    def __init__(self, **more: Any) -> None:
        self.document: Document = {
            "format_version": "1.2",
            "terraform_version": "1.11.4",
            "planned_values": {},
            "resource_changes": [],
            "configuration": {"root_module": {}},
            "prior_state": {"format_version": "1.0", "values": {"root_module": {"child_modules": []}}},
            "applyable": True,
            "complete": True,
            "errored": False,
            **more,
        }
        self._reads: dict[str, dict[str, dict[str, Any]]] = {}
        self._ordered: set[str] = set()

    def consumer(self, address: str, before: Document | None, after: Document | None, **change: Any) -> None:
        """Another resource that changes."""
        actions = ["create"] if before is None else ["delete"] if after is None else ["update"]
        values = {"actions": actions, "before": before, "after": after, "after_unknown": {}}
        self.document["resource_changes"].append({"address": address, "mode": "managed", "change": values | change})

    def image(
        self,
        key: str,
        before: Document | None,
        after: Document | None,
        *,
        module: str = MODULE,
        reason: str = "",
        actions: list[str] | None = None,
        ordered: bool = True,
        form: str = "text",
        **change: Any,
    ) -> Document:
        """An object of an image; Terraform's own words for what is done follow from its two sides."""
        of = (after or before or {})["digest"]
        usual = ["create"] if before is None else ["delete"] if after is None else ["no-op"]
        if before and after and before != after:
            usual = ["update"]
        resource = {
            "address": f"{module}.terraform_data.image[{json.dumps(f'{key}@{of}')}]".lstrip("."),
            "module_address": module,
            "mode": "managed",
            "type": "terraform_data",
            "name": "image",
            "index": f"{key}@{of}",
            "change": {
                "actions": actions or usual,
                "before": before and {"input": as_input(before, form)},
                "after": after and {"input": as_input(after, form)},
                "after_unknown": {},
                "before_sensitive": {},
                "after_sensitive": {},
                **change,
            },
        }
        if after is None:
            resource["action_reason"] = reason or "delete_because_each_key"
        elif reason:
            resource["action_reason"] = reason
        self.document["resource_changes"].append(resource)
        if ordered and module not in self._ordered:
            self._ordered.add(module)
            done = {"mode": "managed", "type": "terraform_data", "name": "done", "module_address": module}
            change = {"actions": ["update"], "before": {"input": "1"}, "after": {"input": "2"}}
            self.document["resource_changes"].append(
                {"address": f"{module}.terraform_data.done", **done, "change": change}
            )
        return resource

    def read(
        self,
        key: str,
        place: str,
        wanted: str,
        present: str,
        *,
        module: str = MODULE,
        copy: Document | None = None,
        signed: str = "",
        reference: str = "",
        there: Document | None = None,
        source: Document | None = None,
    ) -> None:
        """What the reads have said of one entry: the images are told by their names, "" is none."""
        reads = self._reads.setdefault(module, {"source": {}, "destination": {}, "trust": {}})
        reference = reference or f"source.example.com/{key}"
        reads["source"][key] = (
            {"reference": reference},
            {"digest": wanted and digest(wanted), "kind": "", **(source or {})},
        )
        reads["destination"][key] = (
            {"reference": f"{HOST}/{place}", "copy": {"source": reference, "digest": digest(wanted)}},
            {"digest": present and digest(present), "kind": "", **({"copy": copy} if copy else {}), **(there or {})},
        )
        if signed:
            reads["trust"][key] = ({}, {"signed": signed, "refused": []})

    def state(self, *resources: Document, module: str = MODULE) -> None:
        """What the state has of a module beside the reads."""
        modules = self.document["prior_state"]["values"]["root_module"]["child_modules"]
        modules.append({"address": module, "resources": [*resources]})

    def text(self) -> str:
        """The plan as Terraform prints it."""
        for module, reads in self._reads.items():
            self.state(*(_data(module, name, entries) for name, entries in reads.items() if entries), module=module)
        self._reads = {}
        return json.dumps(self.document)

    def explained(self) -> Document:
        """What imagesync says of it, for programs."""
        done = imagesync("explain", "--json", stdin=self.text())
        assert (done.code, done.err) == (0, "")
        told: Document = json.loads(done.out)
        return told

    def told(self) -> Document:
        """The only change."""
        (change,) = self.explained()["changes"]
        only: Document = change
        return only

    def outcome(self) -> str:
        """What becomes of the old image of the only change, "" where there is none."""
        return str(old_of(self.told())["outcome"])

    def written(self, *arguments: str) -> str:
        """What imagesync says of it, for people."""
        done: Finished = imagesync("explain", *arguments, stdin=self.text())
        assert (done.code, done.err) == (0, "")
        return done.out


def _data(module: str, name: str, entries: dict[str, Any]) -> Document:
    return {
        "address": f"{module}.data.external.{name}[0]",
        "mode": "data",
        "type": "external",
        "name": name,
        "values": {
            "query": {"call": "c1", "images": json.dumps({key: asked for key, (asked, _) in entries.items()})},
            "result": {key: json.dumps(answer) for key, (_, answer) in entries.items()},
        },
        "sensitive_values": {},
    }
