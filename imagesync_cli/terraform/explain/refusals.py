"""What a plan that failed has refused, an image at a time: Terraform tells what several have in common only once."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator

from imagesync_cli.terraform.explain.reading.members import items, text
from imagesync_cli.terraform.explain.reading.plan import Call
from imagesync_cli.terraform.explain.reading.stored import HIDDEN
from imagesync_cli.terraform.explain.sentence import Sentence, say

_MORE = re.compile(r" and [0-9]+ more \([^()]*\)")
# How each sentence of the modules begins.
_OF_IMAGES = "images["


def refusals_of(call: Call) -> Iterator[tuple[str, list[Sentence]]]:
    """The key of each entry that was refused, and why."""
    for key, messages in call.refusals.items():
        yield (
            key,
            [say("{}", _without_key(message, key)) for message in messages] or [say("the plan gives no reason")],
        )
    causes = {text(call.source.answer(key), "cause") for key in call.refusals} - {""}
    for key, answer in call.source.answers.items():
        if key not in call.refusals and not answer.get("digest") and text(answer, "cause") in causes:
            error = HIDDEN if call.source.is_secret else str(answer.get("error"))
            yield key, [say("the source is {}: {}", str(answer.get("kind")), error)]
    for key, answer in call.destination.answers.items():
        if key not in call.refusals and (sentences := items(answer, "refused")):
            is_hidden = call.destination.is_secret
            yield key, [say("{}", HIDDEN if is_hidden else str(sentence)) for sentence in sentences]
    for key, sentences in _refused_together(call).items():
        if key not in call.refusals and not items(call.destination.answer(key), "refused"):
            yield key, [say("{}", _without_key(sentence, key)) for sentence in sentences]


def _refused_together(call: Call) -> dict[str, list[str]]:
    """What an object of all images has refused, by the entry with which each sentence begins."""
    found: dict[str, list[str]] = {}
    for sentence in "\n\n".join(call.failures).split("\n\n"):
        key, _, why = sentence.removeprefix(_OF_IMAGES).partition("]")
        if sentence.startswith(_OF_IMAGES) and why:
            with contextlib.suppress(ValueError):
                found.setdefault(str(json.loads(key)), []).append(sentence)
    return found


def failures_of(call: Call) -> list[str]:
    """What else has failed the plan in this call: sentences that are not of its images."""
    return [message for message in call.failures if not message.startswith(_OF_IMAGES)]


def _without_key(message: str, key: str) -> str:
    """The sentences of the modules without the name of their entry, and of others that have the same trouble."""
    begin = f"{_OF_IMAGES}{json.dumps(key, ensure_ascii=False)}]"
    sentences = []
    for sentence in message.split("\n\n"):
        rest = sentence.removeprefix(begin)
        told = _MORE.sub("", rest, count=1) if rest != sentence and rest.startswith(" and ") else rest
        sentences.append(told.removeprefix(": ") if rest != sentence else sentence)
    return "; ".join(sentences)
