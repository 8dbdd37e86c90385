"""Configurations of three module calls that a seed makes up and edits, as main.tf has them.

What they mean is told as well: which tags they name. Nothing here runs Terraform or asks a registry.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from tests.terraform.workspace import CHECKOUT

CALLS = ("x", "y", "z")
IMAGES = 8
SOURCES = tuple(f"s{number}" for number in range(5))
PLACES = [
    (f"{folder}/{name}", tag) for folder in ("m", "m/n", "o") for name in ("a", "b") for tag in ("1", "2", "latest")
]
EDITS = (
    "rename",
    "respell",
    "move an entry",
    "merge calls",
    "swap destinations",
    "swap calls",
    "prefix",
    "prefix into keys",
    "source",
    "platforms",
    "policies",
    "kind",
    "form",
    "referrers",
    "remove",
    "add",
)

# How a call says that there is one of it, and how that one is addressed.
FORMS = {"": ("", ""), "count": ("count = 1", "[0]"), "for_each": ('for_each = toset(["only"])', '["only"]')}

Place = tuple[str, str]  # a repository and a tag


@dataclass(frozen=True)
class Entry:
    """One image: where it goes, where it comes from, and how its destination is spelled."""

    place: Place
    source: str
    platforms: tuple[str, ...] = ()
    tag_is_told: bool = True  # "app:latest", not "app"


@dataclass
class Call:
    """One module call; ``folder`` is what of the destinations is in its prefix, None for a call without one."""

    entries: list[Entry] = field(default_factory=list)
    folder: str | None = ""
    scheme: str = ""
    loud: bool = False
    on_replace: str = "delete"
    on_destroy: str = "delete"
    single: bool = False  # modules/image, where there is one entry
    form: str = ""  # or count, or for_each
    referrers: bool = False

    @property
    def is_single(self) -> bool:
        return self.single and len(self.entries) == 1

    @property
    def common_folder(self) -> str | None:
        """The prefix, as far as all destinations are in it."""
        if self.folder and not all(f"{each.place[0]}/".startswith(f"{self.folder}/") for each in self.entries):
            return ""
        return self.folder


class Configuration:
    """Eight images in three calls."""

    def __init__(self, seed: int, source: str, destination: str) -> None:
        self.random = random.Random(seed)  # noqa: S311
        self._sources, self._destination = source, destination
        self.calls = {name: Call() for name in CALLS}
        for place in self.random.sample(PLACES, IMAGES):
            self._any_call().entries.append(Entry(place, self.random.choice(SOURCES)))
        self._respell()

    def places(self, call: str) -> set[Place]:
        """What this call names."""
        return {entry.place for entry in self.calls[call].entries}

    def addresses(self, call: str) -> list[str]:
        """What -target may be given for a call: all of it, or its images alone."""
        inner = ".module.images" if self.calls[call].is_single else ""
        instance = FORMS[self.calls[call].form][1]
        return [f"module.{call}", f"module.{call}{instance}{inner}.terraform_data.image"]

    def edit(self, kind: str) -> list[str]:
        """Make one edit; gives the sources that move upstream."""
        return getattr(self, f"_{kind.replace(' ', '_')}")() or []

    def text(self, command: Sequence[str]) -> str:
        """All of main.tf."""
        return "\n".join(self._block(name, call, command) for name, call in self.calls.items())

    def _block(self, name: str, call: Call, command: Sequence[str]) -> str:
        host = self._destination.upper() if call.loud else self._destination
        folder = call.common_folder
        start = "" if folder is None else f"{call.scheme}{host}{folder and '/'}{folder}"
        options: dict[str, object] = {
            "source": f"{CHECKOUT}/modules//{'image' if call.is_single else 'images'}",
            "command": command,
            "destination_prefix": start,
            "explain": "all",
            "on_replace": call.on_replace,
            "on_destroy": call.on_destroy,
            "referrers": call.referrers,
        }
        keys = {}
        for entry in call.entries:
            repository, tag = entry.place
            told = f":{tag}" if entry.tag_is_told or tag != "latest" else ""
            where = (
                f"{call.scheme}{host}/{repository}" if folder is None else repository[len(folder and f"{folder}/") :]
            )
            keys[where + told] = {"source": f"{self._sources}/{entry.source}:1", "platforms": entry.platforms}
        if call.is_single:
            ((key, image),) = keys.items()
            options |= {
                "destination_image": key,
                "source_image": image["source"],
                "platforms": image["platforms"],
            }
        else:
            options["images"] = keys
        lines = "\n".join(f"  {option} = {json.dumps(value)}" for option, value in options.items())
        lines += f"\n  {FORMS[call.form][0]}"
        one = f"module.{name}{FORMS[call.form][1]}"
        ids = f"{{ one = {one}.id }}" if call.is_single else f"{one}.ids"
        consumer = f'resource "terraform_data" "{name}" {{\n  for_each = {ids}\n  input    = each.value\n}}'
        return f'module "{name}" {{\n{lines}\n}}\noutput "{name}" {{\n  value = values({ids})\n}}\n{consumer}'

    def _any_call(self) -> Call:
        return self.calls[self.random.choice(CALLS)]

    def _entries(self) -> Iterator[tuple[Call, int]]:
        return ((call, number) for call in self.calls.values() for number in range(len(call.entries)))

    def _some(self, count: int) -> list[tuple[Call, int]]:
        """So many entries, where there are so many."""
        there = list(self._entries())
        return self.random.sample(there, min(count, len(there)))

    def _change(self, where: tuple[Call, int], **changed: object) -> None:
        call, number = where
        call.entries[number] = replace(call.entries[number], **changed)  # type: ignore[arg-type]

    def _free_place(self) -> Place:
        taken = {call.entries[number].place for call, number in self._entries()}
        return self.random.choice([place for place in PLACES if place not in taken])

    def _rename(self) -> None:
        for where in self._some(self.random.randint(1, 3)):
            self._change(where, place=self._free_place())

    def _respell(self) -> None:
        for call in self.calls.values():
            call.scheme = self.random.choice(["", "docker://"])
            call.loud = self.random.random() < 0.5
        for where in self._some(IMAGES):
            self._change(where, tag_is_told=self.random.random() < 0.5)

    def _move_an_entry(self) -> None:
        moved = self._some(self.random.randint(1, 4))
        entries = [(call, call.entries[number]) for call, number in moved]
        for call, entry in entries:
            call.entries.remove(entry)
            self._any_call().entries.append(entry)

    def _merge_calls(self) -> None:
        first, second, third = self.random.sample(list(self.calls.values()), 3)
        first.entries, second.entries, third.entries = [*first.entries, *second.entries], [], third.entries

    def _swap_destinations(self) -> None:
        pair = self._some(2)
        places = [call.entries[number].place for call, number in pair]
        for where, place in zip(pair, reversed(places), strict=True):
            self._change(where, place=place)

    def _swap_calls(self) -> None:
        first, second = self.random.sample(list(self.calls.values()), 2)
        first.entries, second.entries = second.entries, first.entries

    def _prefix(self) -> None:
        """Everything in a call goes to another folder."""
        call = self._any_call()
        folder = self.random.choice(["m", "m/n", "o"])
        for number, entry in enumerate(call.entries):
            repository, tag = entry.place
            place = f"{folder}/{repository.rpartition('/')[2]}", tag
            if place not in {call.entries[number].place for call, number in self._entries()}:
                self._change((call, number), place=place)
        call.folder = folder

    def _prefix_into_keys(self) -> None:
        for call in self.calls.values():
            call.folder = self.random.choice([None, "", "m", "m/n", "o"])

    def _source(self) -> list[str]:
        for where in self._some(1):
            self._change(where, source=self.random.choice(SOURCES))
        return self.random.sample(SOURCES, 2)

    def _platforms(self) -> None:
        for where in self._some(3):
            self._change(where, platforms=self.random.choice([(), ("linux/amd64",), ("linux/arm64",)]))

    def _policies(self) -> None:
        for call in self.calls.values():
            call.on_replace = self.random.choice(["delete", "keep", "retag"])
            call.on_destroy = self.random.choice(["delete", "keep"])

    def _kind(self) -> None:
        """A call becomes one of modules/image, or another of modules/images."""
        call = self._any_call()
        call.single = not call.single
        if call.single:
            others = [other for other in self.calls.values() if other is not call]
            self.random.choice(others).entries += call.entries[1:]
            del call.entries[1:]

    def _form(self) -> None:
        call = self._any_call()
        call.form = self.random.choice([form for form in FORMS if form != call.form])

    def _referrers(self) -> None:
        call = self._any_call()
        call.referrers = not call.referrers

    def _remove(self) -> None:
        for call, number in self._some(1):
            del call.entries[number]

    def _add(self) -> None:
        self._any_call().entries.append(Entry(self._free_place(), self.random.choice(SOURCES)))
