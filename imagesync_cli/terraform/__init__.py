"""The protocol of Terraform's ``external`` data source: a JSON object of strings in, one out.

Two questions are understood. ``{"images": "<JSON object: key → IMAGE>"}`` gives each key a JSON text with reference,
digest, source_digest, media_type, size, error and kind, and ``cause`` where that is about more than this image, equal
for all that it is about. Beside ``images`` there may be:

- ``call``, ``run``, ``workspace``: the images are what that call of a module relies on, and ``@run_folder`` tells what
  the processes of one run share
- ``new_call``: ``@call`` is a random ID for a new call, and ``@protocol`` a number that grows with what modules need
- ``trust``: the answers are who has signed the images (trusted.py)
- ``all``: a JSON object with defaults for every IMAGE
- ``brief``: the answers leave out what is empty, or repeats the question

``{"source": …, "destination": …, "platforms": …, "referrers": …, "verify": …}`` gives digest, id, destination_digest,
in_sync, error and kind. An IMAGE is a reference, or an object with a reference and with what is asked about it:

- ``digest``: that of the whole image, wherever the reference points now
- ``platforms``: those that are wanted; none for all
- ``referrers``: whether the answer has ``referrers``, and as ``attached`` what has to be found again at a mirror
- ``verify``: "deep" to look at all below the digest; ``damage`` is a sentence that says what is missing or wrong
- ``copy``: what would be copied to this reference; ``copy`` tells how much, and what speaks against it (copies.py)

What a registry answers, or that it does not, is part of the result: a failing program would block ``terraform
destroy``. Only a question that is itself wrong is an error. Nothing is ever written to a registry.
"""

from __future__ import annotations

import sys

from imagesync_cli.output import exit_code, print_text
from imagesync_cli.settings import read_settings
from imagesync_cli.stores.session import run
from imagesync_cli.terraform.answers import answer
from imagesync_cli.terraform.query import read_query
from imagesync_cli.values.errors import UsageError

__all__ = ["answer", "answer_terraform", "main", "read_query"]

MAX_QUERY_BYTES = 16 * 1024 * 1024


def main() -> None:
    """``imagesync external`` without the command line's parser, which would be a fifth of what a plan waits for."""
    sys.exit(exit_code(answer_terraform))


def answer_terraform() -> None:
    """Read one question from stdin and print the answer."""
    content = sys.stdin.buffer.read(MAX_QUERY_BYTES + 1)
    if len(content) > MAX_QUERY_BYTES:
        raise UsageError(f"the query is longer than {MAX_QUERY_BYTES} bytes")
    settings = read_settings()
    query = read_query(content.decode("utf-8", errors="replace"))
    references = [image.reference for image in query.sound.values()]
    print_text(run(settings, references, lambda stores: answer(query, stores, settings)))
