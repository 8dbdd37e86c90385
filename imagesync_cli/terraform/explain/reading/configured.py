"""What a variable of a module is set to, where the configuration in a plan says so."""

from __future__ import annotations

import re
from typing import Any

_STEP = re.compile(r'module\.([\w-]+)(?:\[(?:"(?:[^"\\]|\\.)*"|[0-9]+)\])?(?:\.|$)')


def configured(document: dict[str, Any], module: str, variable: str) -> Any:
    """The value that this variable has in the module at this address; None where the plan does not say.

    A variable that is passed on as it is, from the root or from one module to the next, is followed.
    """
    root = _member(document.get("configuration"), "root_module")
    given = _member(document.get("variables"), variable)
    value = _member(given, "value") if given else _default(root, variable)
    inside = root
    for name in _STEP.findall(module):
        call = _member(_member(inside, "module_calls"), name)
        inside = _member(call, "module")
        expression = _member(_member(call, "expressions"), variable)
        if expression is None:
            value = _default(inside, variable)
        elif _member(expression, "references") != [f"var.{variable}"]:
            value = _member(expression, "constant_value")
    return value


def _default(module: Any, variable: str) -> Any:
    return _member(_member(_member(module, "variables"), variable), "default")


def _member(document: Any, name: str) -> Any:
    return document.get(name) if isinstance(document, dict) else None
