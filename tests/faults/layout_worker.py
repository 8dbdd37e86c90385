"""A process that writes into a layout, over and over: ``FOLDER NAME ROUNDS SOURCE...``; prints the tags it must have.

Each round copies an image to a tag of its own, every third one deletes the tag of the round before.
"""

from __future__ import annotations

import json
import sys

from tests.command import imagesync


def main(folder: str, name: str, rounds: int, sources: list[str]) -> None:
    kept: dict[str, str] = {}
    for number in range(rounds):
        tag, source = f"{name}-{number}", sources[number % len(sources)]
        done = imagesync("sync", "--json", f"oci:{source}:1", f"oci:{folder}:{tag}")
        if done.code:
            sys.exit(f"{tag}: {done.err}")
        kept[tag] = json.loads(done.out)["digest"]
        if number % 3 == 2:
            gone = f"{name}-{number - 1}"
            done = imagesync("delete", f"oci:{folder}:{gone}")
            if done.code:
                sys.exit(f"deleting {gone}: {done.err}")
            del kept[gone]
    sys.stdout.write(json.dumps(kept))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4:])
