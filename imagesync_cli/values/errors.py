"""Every error that a user can meet, each with the exit code that says what to do next.

ImagesyncError       1  a bug in imagesync, or the result could not be written
├── UsageError       2  fix the call, the query or the configuration
├── NotFound         3  the image is not there
│   ├── Gone         3  the registry itself says that it has no such image
│   └── NoPlatform   3  the image is there, but not for this platform
├── Denied           4  the registry does not allow it
├── Unavailable      5  no usable answer: try again later
│   └── LimitReached 5  the registry allows no more pulls for now
├── ContentError     6  content does not match its digest, size or type
├── Refused          7  imagesync or the registry refuses this
│   └── Incomplete   7  the image names something that the destination lacks
└── Differs          8  a check failed: out of sync, damaged, or moved
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from imagesync_cli.values.secret import redacted

if TYPE_CHECKING:
    from imagesync_cli.values.manifest import Descriptor


class ImagesyncError(Exception):
    """What went wrong (``message``), where, and what to do about it (``hint``, may be empty).

    A server may repeat our login to us: it is in neither. ``meaning`` is what the exit code says to whoever looks it
    up. ``codes`` are the error codes in a registry's answer, for stores/registry alone: the class says what they mean.
    """

    name = "error"
    exit_code = 1
    meaning = "a bug in imagesync, or the result could not be written"
    kind = "invalid"
    codes: frozenset[str] = frozenset()
    step = ""

    def __init__(self, message: str, *, hint: str = "", problems: Sequence[str] = ()) -> None:
        super().__init__(message)
        self._message = message
        self._hint = hint
        self._problems = problems

    @property
    def lines(self) -> list[str]:
        """What went wrong, a problem a line where there are several; ``message`` has all of them in one."""
        return list(map(redacted, self._problems)) or [self.message]

    @property
    def reason(self) -> str:
        """What went wrong, without the step at which it did."""
        return redacted(self._message)

    @property
    def message(self) -> str:
        """What went wrong, in a line. The step is in our words, and may name what a weak password is as well."""
        return f"{self.step}: {self.reason}" if self.step else self.reason

    @property
    def hint(self) -> str:
        """What to do about it, in a line."""
        return redacted(self._hint)

    @hint.setter
    def hint(self, text: str) -> None:
        self._hint = text

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message

    def alone(self) -> ImagesyncError:
        """The error to be kept, without the frames that it came through: they hold what was being read.

        They may hold the last of a secret as well, which cannot be taken out of a message once it is forgotten.
        """
        self._message, self._hint = redacted(self._message), redacted(self._hint)
        self.__cause__ = self.__context__ = None
        return self.with_traceback(None)

    def during(self, step: str) -> None:
        """Open the message with the step at which it happened; the first to say so, nearest to the cause, is right."""
        if not self.step:
            self.step = step


class UsageError(ImagesyncError):
    """The call, the query or the configuration must change before it can work."""

    name = "usage"
    exit_code = 2
    meaning = "fix the call, the query or the configuration"


class NotFound(ImagesyncError):
    """The registry answers that the repository, manifest or blob does not exist."""

    name = "not-found"
    exit_code = 3
    meaning = "the image is not there"
    kind = "missing"


class Gone(NotFound):
    """A registry, and not just any web server, says so: the answer can be relied on."""

    meaning = "the registry itself says that it has no such image"


class NoPlatform(NotFound):
    """The image is there without a platform that is wanted. Not ``missing``, which may pass: the wish must change."""

    name = "no-platform"
    meaning = "the image is there, but not for this platform"
    kind = "unsuitable"


class Denied(ImagesyncError):
    """The registry answers 401 or 403, with the credentials that were found."""

    name = "denied"
    exit_code = 4
    meaning = "the registry does not allow it"
    kind = "denied"


class Unavailable(ImagesyncError):
    """No usable answer although it was asked again.

    ``retry_after_s`` is the wait the server asked for, in seconds; ``may_pass`` is False for what a
    second try cannot mend (a name that does not exist, a certificate that does not match) or has not mended;
    ``status`` is that of the server's answer, 0 if there was none.
    """

    name = "unavailable"
    exit_code = 5
    meaning = "no usable answer: try again later"
    kind = "unreachable"

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        retry_after_s: float | None = None,
        may_pass: bool = True,
        status: int = 0,
    ) -> None:
        super().__init__(message, hint=hint)
        self.retry_after_s = retry_after_s
        self.may_pass = may_pass
        self.status = status
        self.is_elsewhere = False  # the host that was asked had sent us on to another one
        self.is_unreachable = False  # the host has answered nothing yet, so nothing else is to be had from it either

    @property
    def is_fault(self) -> bool:
        """The server is there and fails at just this: what it stores may be damaged."""
        return self.status == 500


class LimitReached(Unavailable):
    """A registry says so (Docker Hub). ``is_early`` says that nothing of the image was pulled, which may begin anew."""

    meaning = "the registry allows no more pulls for now"
    is_early = False


class ContentError(ImagesyncError):
    """Bytes that do not match their digest or size, or a manifest that contradicts itself."""

    name = "content"
    exit_code = 6
    meaning = "content does not match its digest, size or type"


class Refused(ImagesyncError):
    """The request is understood and will not be done; ``status`` is the registry's, 0 if it is us."""

    name = "refused"
    exit_code = 7
    meaning = "imagesync or the registry refuses this"

    def __init__(self, message: str, *, hint: str = "", status: int = 0) -> None:
        super().__init__(message, hint=hint)
        self.status = status


class Incomplete(Refused):
    """A manifest was refused because it names what the repository lacks: ``missing``, as far as known."""

    meaning = "the image names something that the destination lacks"

    def __init__(self, message: str, *, hint: str = "", missing: Sequence[Descriptor] = ()) -> None:
        super().__init__(message, hint=hint)
        self.missing = tuple(missing)


class Differs(ImagesyncError):
    """What was to be checked was read, and is not what it should be: out of sync, damaged, or moved."""

    name = "differs"
    exit_code = 8
    meaning = "a check failed: out of sync, damaged, or moved"
    kind = "differs"


def exhausted(error: BaseException) -> UsageError | None:
    """Our error for one that says what the process has no more of; None for any other."""
    if isinstance(error, MemoryError):
        return UsageError("there is no more memory", hint="raise the limit: ulimit -v, or that of the container")
    if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
        return UsageError("there are too many open files", hint="raise the limit: ulimit -n 1024")
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return UsageError(f"cannot write: {error.strerror}", hint="make room on the disk, or write to another one")
    if isinstance(error, FileNotFoundError) and error.filename is None and not _has_current_folder():
        return UsageError("the current folder is gone", hint="change to another: cd /tmp")
    return None


def _has_current_folder() -> bool:
    """False where somebody has removed it: then no relative path leads anywhere."""
    try:
        os.getcwd()  # noqa: PTH109  (errors only load what is loaded anyway)
    except FileNotFoundError:
        return False
    return True


# Kinds that several images may share by other names, and what of a message is of one image alone.
_SHARED_KINDS = frozenset({"denied", "unreachable"})
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def common_cause(kind: str, error: str, references: Iterable[str]) -> str:
    """The error without what is of one image alone: equal for all images that one cause keeps from us.

    "" where it is about the image itself. The ``references`` are those that it may name.
    """
    if kind not in _SHARED_KINDS:
        return ""
    text = _DIGEST.sub("…", error)
    for reference in references:
        path = reference.partition("/")[2].partition("@")[0]
        for name in (path, path.rpartition(":")[0]):
            text = re.sub(rf"/{re.escape(name)}(?![\w.-])", "/…", text) if name else text
    return text


def first_few(names: Iterable[str], most: int = 3, *, between: str = ", ") -> str:
    """The first few of these, each once, and how many more there are."""
    several = list(dict.fromkeys(names))
    more = len(several) - most
    return between.join(several[:most]) + (f" and {more} more" if more > 0 else "")
