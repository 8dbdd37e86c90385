"""What a variable of a module is set to, where the configuration in a plan says so."""

from __future__ import annotations

import re
from typing import Any

_STEP = re.compile(r'module\.([\w-]+)(?:\[(?:"(?:[^"\\]|\\.)*"|[0-9]+)\])?(?:\.|$)')


def configured(document: dict[str, Any], module: str, variable: str) -> str:
    """The text that this variable has in the module at this address; "" where the plan does not say.

    A variable that is passed on as it is, from the root or from one module to the next, is followed.
    """
    root = _member(document.get("configuration"), "root_module")
    given = _member(_member(document.get("variables"), variable), "value")
    value = given if isinstance(given, str) else _default(root, variable)
    inside = root
    for name in _STEP.findall(module):
        call = _member(_member(inside, "module_calls"), name)
        inside = _member(call, "module")
        expression = _member(_member(call, "expressions"), variable)
        if expression is None:
            value = _default(inside, variable)
        elif isinstance(constant := _member(expression, "constant_value"), str):
            value = constant
        elif _member(expression, "references") != [f"var.{variable}"]:
            value = ""
    return value


def _default(module: Any, variable: str) -> str:
    default = _member(_member(_member(module, "variables"), variable), "default")
    return default if isinstance(default, str) else ""


def _member(document: Any, name: str) -> Any:
    return document.get(name) if isinstance(document, dict) else None
