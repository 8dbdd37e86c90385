"""Our own words with what they quote, which is escaped by whoever shows it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Sentence:
    """``words`` has a ``{}`` for each text of the plan that is ``quoted``."""

    words: str
    quoted: tuple[str, ...] = ()

    def written(self, show: Callable[[str], str] = str) -> str:
        """The sentence with what it quotes, each shown so."""
        return self.words.format(*map(show, self.quoted))

    def mapped(self, change: Callable[[str], str]) -> Sentence:
        """The same with other quotes."""
        return Sentence(self.words, tuple(map(change, self.quoted)))


def say(words: str, *quoted: str) -> Sentence:
    """A sentence, from words with a ``{}`` for each quote."""
    return Sentence(words, quoted)


def written(sentences: Iterable[Sentence], show: Callable[[str], str] = str) -> str:
    """Several in one line."""
    return "; ".join(sentence.written(show) for sentence in sentences)
