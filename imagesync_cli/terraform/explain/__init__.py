"""What a plan of Terraform or OpenTofu does to images, from what ``terraform show -json`` prints of it alone.

No registry, no state and no file is read. reading/ finds our modules in the JSON, look.py and outcome.py tell what the
reads and the policies mean, changes.py puts that together, and written.py writes it.
"""

from __future__ import annotations

from imagesync_cli.terraform.explain.explanation import Explanation, explain
from imagesync_cli.terraform.explain.reading.document import MOST_BYTES, read_plan_document
from imagesync_cli.terraform.explain.reading.plan import Plan
from imagesync_cli.terraform.explain.written import explanation_json, explanation_lines, explanation_markdown

__all__ = [
    "MOST_BYTES",
    "Explanation",
    "explain_plan",
    "explanation_json",
    "explanation_lines",
    "explanation_markdown",
]


def explain_plan(content: bytes) -> Explanation:
    """Explain a plan in JSON; UsageError for anything else."""
    return explain(Plan(read_plan_document(content)))
