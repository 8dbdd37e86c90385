"""What the operations need of a place where images live, whether it is a registry or a folder."""

from __future__ import annotations

import enum
from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Mapping
from typing import Protocol

from imagesync_cli.values.manifest import Descriptor, Manifest

Content = Callable[[], AsyncGenerator[bytes, None]]


class Written(enum.Enum):
    """How a blob came to be where it should be."""

    THERE = "there already"
    MOUNTED = "mounted from another repository"
    SENT = "sent"


class Untagged(enum.Enum):
    """What a request to remove a tag came to."""

    DONE = "done"
    ABSENT = "was not there"
    ONLY_BY_DIGEST = "this registry is distribution 2.x: a manifest goes with all its tags, or not at all"
    NOT_OFFERED = "this registry deletes no tags"


# Why a manifest is there that the store says it does not have: Quay answers 404 to the DELETE of one without a tag, and
# gives it for up to an hour (Quay 3, PUSH_TEMP_TAG_EXPIRATION_SEC). It is as good as gone.
SAID_TO_BE_GONE = "the registry says that it is not there, and still gives it"


class Store(Protocol):
    """One repository or one layout folder. ``wanted`` is a tag or a digest; errors are those of errors.py."""

    @property
    def name(self) -> str:
        """As the user spelled it; opens messages and ids."""

    @property
    def drops_untagged(self) -> bool:
        """Whether a manifest may go at once with the last tag that leads to it, as far as its answers tell."""

    def warm(self, count: int) -> None:
        """Be ready for so many requests at once; they come soon."""

    async def head(self, wanted: str) -> Descriptor:
        """What this tag or digest is, without reading it; NotFound if it is nothing."""

    async def manifest(self, wanted: str, most_bytes: int | None = None) -> Manifest:
        """The manifest itself, checked against its digest; NotFound if there is none.

        One that is longer than ``most_bytes`` is a ContentError, before all of it is in memory.
        """

    async def has_manifest(self, manifest: Descriptor) -> bool:
        """Whether the manifest is there."""

    def read_blob(self, blob: Descriptor) -> AsyncGenerator[bytes, None]:
        """The blob's bytes; those that do not match its digest end in ContentError before the last chunk."""

    async def has_blob(self, blob: Descriptor) -> bool:
        """Whether the blob is there."""

    async def blob_size(self, blob: Descriptor) -> int | None:
        """The size in bytes of what is stored as this blob, None where the store does not tell; NotFound if nothing."""

    async def write_blob(self, blob: Descriptor, content: Content, origin: Store, *, anew: bool = False) -> Written:
        """Make sure that the blob is there, calling ``content`` for its bytes if they must be moved.

        ``anew`` moves them without asking: the store has claimed to have the blob and was wrong.
        """

    async def put_manifest(self, manifest: Manifest, tag: str = "") -> bool:
        """Store a manifest under its digest, or under the tag, which then points at it.

        Whether the store lists it among its subject's referrers by itself.
        """

    async def tags(self, *, sound_only: bool = False, must_exist: bool = False) -> Mapping[str, Descriptor | None]:
        """Every tag, and what it points at where the list tells that.

        ContentError for a list that has names which are no tags, unless it is enough to have the ``sound_only``.
        Where there is no such place there are no tags; NotFound if it ``must_exist``.
        """

    async def tagged(self, tags: Iterable[str], advance: Callable[[], None] | None = None) -> Mapping[str, Descriptor]:
        """What these tags point at; a tag that is gone meanwhile is left out. ``advance`` is called for each."""

    async def referrers(self, digest: str) -> list[Descriptor]:
        """What names this manifest as its subject, as far as the store itself can tell."""

    async def listed(self, tag: str) -> Manifest | None:
        """The list of referrers that clients keep under this tag, its unsound entries left out; None if there is none.

        ContentError where the tag is something else.
        """

    async def untag(self, tag: str, digest: str) -> Untagged:
        """Remove the tag and nothing else; a store that can do so leaves a tag that is not on this digest any more."""

    async def delete_manifest(self, digest: str, tags: Collection[str] = ()) -> str:
        """Delete a manifest by digest. Gives "" when it was seen to be gone, else why the store keeps it.

        ``tags`` may go with it, for a store that asks. Unavailable where the store said that it did it, and has it.
        """
