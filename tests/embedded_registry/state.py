"""What a registry holds: repositories with manifests, tags, blobs and open uploads.

Plain values that tests may read and change; what HTTP makes of them is in the routes.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

DIGEST = re.compile(r"(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})")


def digest_of(content: bytes | bytearray | memoryview, algorithm: str = "sha256") -> str:
    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"


@dataclass(frozen=True)
class Manifest:
    """One manifest or index: the bytes as pushed, and what they name."""

    media_type: str
    content: bytes
    digest: str = ""

    def __post_init__(self) -> None:
        if not self.digest:
            object.__setattr__(self, "digest", digest_of(self.content))

    @cached_property
    def document(self) -> dict[str, Any]:
        """The parsed content, empty where that is not a JSON object."""
        try:
            document = json.loads(self.content)
        except ValueError:
            return {}
        return document if isinstance(document, dict) else {}

    @property
    def children(self) -> list[str]:
        return [entry["digest"] for entry in self.document.get("manifests") or []]

    @property
    def blobs(self) -> list[str]:
        """Digests of config and layers; layers that live elsewhere (``urls``) are not expected here."""
        entries = [self.document.get("config"), *(self.document.get("layers") or [])]
        return [entry["digest"] for entry in entries if entry and not entry.get("urls")]

    @property
    def subject(self) -> str:
        return str((self.document.get("subject") or {}).get("digest", ""))

    def descriptor(self) -> dict[str, Any]:
        """Describe it as the referrers API does (distribution-spec v1.1, end-12)."""
        document = self.document
        entry = {"mediaType": self.media_type, "digest": self.digest, "size": len(self.content)}
        kind = document.get("artifactType") or (document.get("config") or {}).get("mediaType")
        if kind:
            entry["artifactType"] = kind
        if document.get("annotations"):
            entry["annotations"] = document["annotations"]
        return entry


@dataclass
class Upload:
    """An open upload session."""

    repository: str
    content: bytearray = field(default_factory=bytearray)


@dataclass
class Repository:
    manifests: dict[str, Manifest] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    deleted_but_tagged: dict[str, Manifest] = field(default_factory=dict)
    """Manifests that are gone by digest while their tags still answer (go-containerregistry)."""

    def add_blob(self, content: bytes) -> str:
        digest = digest_of(content)
        self.blobs[digest] = content
        return digest

    def add_manifest(self, media_type: str, content: bytes, tag: str = "") -> str:
        manifest = Manifest(media_type, content)
        self.manifests[manifest.digest] = manifest
        if tag:
            self.tags[tag] = manifest.digest
        return manifest.digest

    def find(self, reference: str) -> Manifest | None:
        """Return what a tag or digest names."""
        if reference in self.tags:
            digest = self.tags[reference]
            return self.manifests.get(digest) or self.deleted_but_tagged.get(digest)
        return self.manifests.get(reference)

    def tags_of(self, digest: str) -> list[str]:
        return sorted(tag for tag, named in self.tags.items() if named == digest)

    def parents_of(self, digest: str) -> list[str]:
        return [parent.digest for parent in self.manifests.values() if digest in parent.children]

    def referrers_of(self, digest: str) -> list[Manifest]:
        return [manifest for manifest in self.manifests.values() if manifest.subject == digest]


@dataclass
class State:
    """Everything in one registry; hold ``lock`` to see or change several things at one moment."""

    repositories: dict[str, Repository] = field(default_factory=dict)
    uploads: dict[str, Upload] = field(default_factory=dict)
    later: list[list[Any]] = field(default_factory=list, repr=False)
    """What was taken on and is not done yet: how many requests it waits for, and what it is."""
    pulp_path: str = ""
    """What Pulp's API was asked about last: its one repository stands for each."""
    lock: threading.RLock = field(default_factory=threading.RLock, repr=False)

    def repository(self, name: str) -> Repository:
        """Return the repository, made if need be."""
        with self.lock:
            return self.repositories.setdefault(name, Repository())

    def do_what_is_due(self) -> None:
        """Do what was taken on long enough ago, counted in requests."""
        for task in self.later:
            task[0] -= 1
        due, self.later[:] = [t for t in self.later if t[0] < 0], [t for t in self.later if t[0] >= 0]
        for _, work in due:
            work()

    def dump(self) -> dict[str, dict[str, Any]]:
        """Take a plain snapshot of everything, that two moments or two registries can be compared by.

        Blobs are named by what their bytes are, not by what they were called.
        """
        with self.lock:
            sessions = Counter(upload.repository for upload in self.uploads.values())
            return {
                name: {
                    "tags": dict(sorted(repository.tags.items())),
                    "manifests": sorted(repository.manifests),
                    "blobs": sorted(map(digest_of, repository.blobs.values())),
                    "open uploads": sessions[name],
                }
                for name, repository in sorted(self.repositories.items())
                if repository.tags or repository.manifests or repository.blobs or sessions[name]
            }
