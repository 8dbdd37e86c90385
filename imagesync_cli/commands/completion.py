"""Completion in shells, which is click's but for ``--option=value``: click 8.5 loses the option, or sees no value."""

from __future__ import annotations

import glob
from pathlib import Path

from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
    add_completion_class,
)


class _Bash(BashComplete):
    """bash takes ``=`` for a word of its own, and completes what follows."""

    def get_completion_args(self) -> tuple[list[str], str]:
        """Without it, the words before the cursor are as if there were a space."""
        words, incomplete = super().get_completion_args()
        return [word for word in words if word != "="], incomplete.removeprefix("=")


class _WholeWords(ShellComplete):
    """zsh and fish want the whole word back, also where only its end is completed."""

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem]:
        """Complete the value as after a space, and put the option before it."""
        option, equals, value = incomplete.partition("=")
        if not equals or not option.startswith("--"):
            return super().get_completions(args, incomplete)
        completions = super().get_completions([*args, option], value)
        values = [each.value for each in completions if each.type == "plain"]
        if any(each.type == "file" for each in completions):
            names = sorted(glob.glob(f"{glob.escape(value)}*"))  # noqa: PTH207  (Path's takes no absolute pattern)
            values += [f"{name}/" if Path(name).is_dir() else name for name in names]
        return [CompletionItem(f"{option}={each}") for each in values]


class _Zsh(_WholeWords, ZshComplete):
    pass


class _Fish(_WholeWords, FishComplete):
    pass


for shell in (_Bash, _Zsh, _Fish):
    add_completion_class(shell)
