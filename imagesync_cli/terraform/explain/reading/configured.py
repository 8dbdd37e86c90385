"""What a variable of a module is set to, where the configuration in a plan says so."""

from __future__ import annotations

import re
from typing import Any

from imagesync_cli.terraform.explain.reading.members import Document, member

_STEP = re.compile(r'module\.([\w-]+)(?:\[(?:"(?:[^"\\]|\\.)*"|[0-9]+)\])?(?:\.|$)')


def configured(document: Document, module: str, variable: str) -> Any:
    """The value that this variable has in the module at this address; None where the plan does not say.

    A variable that is passed on as it is, from the root or from one module to the next, is followed.
    """
    inside = member(document, "configuration", "root_module")
    given = member(document, "variables", variable)
    value = member(given, "value") if given else _default(inside, variable)
    for name in _STEP.findall(module):
        call = member(inside, "module_calls", name)
        inside = member(call, "module")
        expression = member(call, "expressions", variable)
        if expression is None:
            value = _default(inside, variable)
        elif member(expression, "references") != [f"var.{variable}"]:
            value = member(expression, "constant_value")
    return value


def _default(module: Any, variable: str) -> Any:
    return member(module, "variables", variable, "default")
