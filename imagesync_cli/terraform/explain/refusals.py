"""What a plan that failed has refused, an image at a time: Terraform tells what several have in common only once."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

from imagesync_cli.terraform.explain.reading.plan import Call, Document, Reading
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
    causes = {_cause(_answer(call.source, key)) for key in call.refusals} - {""}
    for key, answer in _answers(call.source).items():
        if key not in call.refusals and not answer.get("digest") and _cause(answer) in causes:
            error = HIDDEN if call.source and call.source.is_secret else str(answer.get("error"))
            yield key, [say("the source is {}: {}", str(answer.get("kind")), error)]
    for key, answer in _answers(call.destination).items():
        sentences = answer.get("refused")
        if key not in call.refusals and isinstance(sentences, list) and sentences:
            hidden = call.destination is not None and call.destination.is_secret
            yield key, [say("{}", HIDDEN if hidden else str(sentence)) for sentence in sentences]


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


def _answers(reading: Reading | None) -> Mapping[str, Document]:
    return reading.answers if reading else {}


def _answer(reading: Reading | None, key: str) -> Document:
    return _answers(reading).get(key, {})


def _cause(answer: Document) -> str:
    cause = answer.get("cause")
    return cause if isinstance(cause, str) else ""
