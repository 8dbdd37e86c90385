"""Delete a tag, and its manifest if no other tag is on it, asking for one tag after the other.

    python -m benchmarks.one_by_one HOST/REPOSITORY:TAG

What imagesync is compared with: the same questions over one connection, none before the last is answered. Less safe
than imagesync, which looks into indexes too, and as simple as such scripts are.
"""

from __future__ import annotations

import http.client
import json
import sys

from benchmarks.images import INDEX, MANIFEST

_HEADERS = {"Accept": f"{INDEX}, {MANIFEST}"}


def main(reference: str) -> None:
    """Ask for every tag, then delete."""
    name, _, tag = reference.rpartition(":")
    host, _, repository = name.partition("/")
    connection = http.client.HTTPConnection(host, timeout=60)

    def ask(method: str, path: str) -> tuple[http.client.HTTPResponse, bytes]:
        connection.request(method, f"/v2/{repository}/{path}", headers=_HEADERS)
        answer = connection.getresponse()
        return answer, answer.read()

    def digest(name: str) -> str:
        return ask("HEAD", f"manifests/{name}")[0].headers["Docker-Content-Digest"]

    target = digest(tag)
    names = json.loads(ask("GET", "tags/list")[1])["tags"]
    shared = target in {digest(name) for name in names if name != tag}
    answer, _ = ask("DELETE", f"manifests/{tag}" if shared else f"manifests/{target}")
    if answer.status != 202:
        sys.exit(f"{answer.status} {answer.reason}")


main(sys.argv[1])
