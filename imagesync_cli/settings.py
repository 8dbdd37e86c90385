"""Settings of one run, from the command line and the environment; the only reader of os.environ.

But for TF_DATA_DIR, which __main__.py reads as well: a process that only waits for another one does not load this. The
log begins before this is loaded, so __main__.py reads what is said of it.

IMAGESYNC_PLAIN_HTTP         hosts that speak plain HTTP, separated by commas, in addition to --plain-http
IMAGESYNC_TIMEOUT            time limit of one `imagesync external`, in seconds (default 30); what has no answer by
                             then is reported as unreachable
IMAGESYNC_REQUESTS_PER_SECOND  HOST=N, separated by commas: at most N requests to HOST in any second
IMAGESYNC_CONNECTIONS        HOST=N, separated by commas: at most N connections to HOST at the same time
IMAGESYNC_CONFIG             a settings file, which must exist (default imagesync/config.json in XDG_CONFIG_HOME)
IMAGESYNC_AUTH_FILE          a login file in the format of Docker's config.json; it must exist
REGISTRY_AUTH_FILE           the same under the name that Podman and skopeo use; IMAGESYNC_AUTH_FILE comes first
IMAGESYNC_USERNAME_<HOST>    a login for one host: its name in capitals, "." and ":" as "_", "-" as "__"
IMAGESYNC_PASSWORD_<HOST>    the password or token that goes with it
IMAGESYNC_CI_LOGIN           1 allows the CI job's own token, for its own registry only
GITHUB_TOKEN                 with IMAGESYNC_CI_LOGIN: the token of a GitHub job, for ghcr.io
GITHUB_ACTOR                 the user that goes with it
CI_JOB_TOKEN                 with IMAGESYNC_CI_LOGIN: the token of a GitLab job, for the registry in CI_REGISTRY
CI_REGISTRY                  the registry that CI_JOB_TOKEN is for
DOCKER_CONFIG                the folder of Docker's config.json and certs.d (default ~/.docker)
XDG_RUNTIME_DIR              folder of containers/auth.json, Podman's and skopeo's logins (default /run/containers/UID)
XDG_CONFIG_HOME              folder of another containers/auth.json, and of imagesync/config.json (default ~/.config)
HOME                         the folder that ~ stands for
USERPROFILE                  the same on Windows
SSL_CERT_FILE                a file of certificate authorities to trust, in addition to the system's
HTTPS_PROXY                  the proxy for https hosts, as http://[USER:PASSWORD@]HOST:PORT; lower case works too.
                             Without any such variable, the proxies of Docker's config.json are used
HTTP_PROXY                   the proxy for hosts that speak plain HTTP
ALL_PROXY                    the proxy where neither of these two is set
NO_PROXY                     hosts that are reached without a proxy, as loopback always is
TMPDIR                       the folder in which one user's processes on one machine meet, so that none removes what
                             another one is about to use (default /tmp); they use imagesync-UID in it
IMAGESYNC_LOG                info or debug: a log on stderr of the logins, or of every request too
IMAGESYNC_LOG_FILE           a file that gets the log at its end, in place of stderr
IMAGESYNC_LOG_FORMAT         text (default), or json for one object a line
TF_DATA_DIR                  Terraform's data folder (default .terraform); its runs share the folder imagesync/ in it
IMAGESYNC_APPLY_<N>          the images of `imagesync apply`, one on each line; the Terraform modules set them
IMAGESYNC_RUN                for `imagesync delete --claimant`: the time and workspace of the plan; the modules set it
JOB_COMPLETION_INDEX         the share that `sync --shard N` takes, counted from 0; Kubernetes sets it
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from imagesync_cli.values.errors import UsageError
from imagesync_cli.values.hosts import address_of, host_name, is_loopback
from imagesync_cli.values.limits import CONNECTIONS, KINDS, REQUESTS_PER_SECOND, Limits, read_limits, split_pairs
from imagesync_cli.values.secret import Secret

DEFAULT_TIMEOUT_S = 30.0
# The variables that name folders, and where these are without them.
_DOCKER_FOLDER, _CONFIG_FOLDER = ("DOCKER_CONFIG", ".docker"), ("XDG_CONFIG_HOME", ".config")
_DOCKER_PROXIES = {
    "httpProxy": "http_proxy",
    "httpsProxy": "https_proxy",
    "allProxy": "all_proxy",
    "noProxy": "no_proxy",
}
_PROXIES = frozenset(_DOCKER_PROXIES.values())
_MOST_CONFIG_BYTES = 4 * 1024 * 1024
_CONFIG_HINT = 'it is JSON such as {"requests_per_second": {"docker.io": 10}, "connections": {"docker.io": 4}}'
_PORT = re.compile(r"[0-9]{1,5}")
# What the environment may say about logins: by host, and in CI jobs (credentials/environment.py).
_LOGIN_PREFIXES = ("IMAGESYNC_USERNAME_", "IMAGESYNC_PASSWORD_")
_LOGIN_NAMES = ("IMAGESYNC_CI_LOGIN", "GITHUB_TOKEN", "GITHUB_ACTOR", "CI_JOB_TOKEN", "CI_REGISTRY")


@dataclass(frozen=True)
class Settings:
    """How to reach registries and who to be there; sizes in bytes, times in seconds.

    ``auth_files`` are asked in their order, after the one that is named for its side of a copy; ``required_files``
    must exist because somebody named them. ``certificate_folders`` are Docker's certs.d and its like.
    """

    plain_http: frozenset[str] = frozenset()
    external_timeout_s: float = DEFAULT_TIMEOUT_S
    auth_files: tuple[Path, ...] = ()
    required_files: frozenset[Path] = frozenset()
    source_auth_file: Path | None = None
    destination_auth_file: Path | None = None
    logins: Mapping[str, Secret] = field(default_factory=dict)
    ca_file: Path | None = None
    ssl_cert_file: Path | None = None
    certificate_folders: tuple[Path, ...] = ()
    proxies: Mapping[str, str] = field(default_factory=dict, repr=False)  # their URLs may hold a password
    max_manifest_bytes: int = 4 * 1024 * 1024
    run_folder: Path = Path(".terraform", "imagesync")  # what the processes of one Terraform run share
    run: str = ""  # the time of the plan that Terraform applies, and its workspace
    meeting_folder: Path | None = None  # where the processes of one user on one machine meet
    limits: Limits = field(default_factory=lambda: read_limits({}))
    waits_for_pulls: bool = False  # until a registry allows more of them
    job_index: str = ""  # which of several equal jobs this is, counted from 0

    def scheme(self, host: str) -> str:
        """``http`` for this machine itself and for the hosts named for it, else ``https``."""
        return "http" if is_loopback(host) or host.lower() in self.plain_http else "https"

    def address(self, registry: str) -> tuple[str, int]:
        """The name and port at which a registry is reached."""
        host = address_of(registry)
        port = host.rpartition(":")[2] if not host.endswith("]") else ""
        return host_name(host), int(port) if _PORT.fullmatch(port) else 80 if self.scheme(host) == "http" else 443

    def limits_at(self, name: str, port: int) -> tuple[int | None, float | None]:
        """Connections at the same time and requests in a second for the host at this name and port, None for any."""
        connections, paces = (
            [most for host, most in self.limits[kind].items() if self.address(host) == (name, port)]
            for kind in (CONNECTIONS, REQUESTS_PER_SECOND)
        )
        return min(map(int, connections), default=None), min(paces, default=None)


def read_settings(
    *,
    plain_http: Iterable[str] = (),
    requests_per_second: Iterable[str] = (),
    connections: Iterable[str] = (),
    ca_file: str | None = None,
    source_auth_file: str | None = None,
    destination_auth_file: str | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Settings:
    """Settings from options and environment; an option wins where both say something."""
    named = [*plain_http, *environ.get("IMAGESYNC_PLAIN_HTTP", "").replace(",", " ").split()]
    for host in named:
        if "/" in host:
            raise UsageError(
                f"plain HTTP host {host!r} is not a host", hint="it takes a host[:port], such as registry.lan:5000"
            )
    sides = [Path(file) if file else None for file in (source_auth_file, destination_auth_file)]
    required = [Path(environ[name]) for name in ("IMAGESYNC_AUTH_FILE", "REGISTRY_AUTH_FILE") if environ.get(name)]
    return Settings(
        plain_http=frozenset(host.lower() for host in named),
        external_timeout_s=_timeout_s(environ.get("IMAGESYNC_TIMEOUT", "")),
        auth_files=(*required, *_usual_auth_files(environ)),
        required_files=frozenset([*required, *filter(None, sides)]),
        source_auth_file=sides[0],
        destination_auth_file=sides[1],
        logins=dict(_logins(environ)),
        ca_file=Path(ca_file) if ca_file else None,
        ssl_cert_file=Path(environ["SSL_CERT_FILE"]) if environ.get("SSL_CERT_FILE") else None,
        certificate_folders=tuple(_certificate_folders(environ)),
        run_folder=Path(environ.get("TF_DATA_DIR") or ".terraform", "imagesync"),
        run=environ.get("IMAGESYNC_RUN", ""),
        meeting_folder=_meeting_folder(environ),
        limits=_limits({REQUESTS_PER_SECOND: requests_per_second, CONNECTIONS: connections}, environ),
        job_index=environ.get("JOB_COMPLETION_INDEX", ""),
        # Sorted, so that of HTTP_PROXY and http_proxy the lower-case one counts, as with curl.
        proxies={each.lower(): value for each, value in sorted(environ.items()) if each.lower() in _PROXIES}
        or _docker_proxies(environ),
    )


def draws_on_terminals() -> bool:
    """Whether a terminal may be drawn on: not a dumb one, Windows' own, nor one that a CI system keeps as a log."""
    dumb = os.environ.get("TERM", "") == "dumb" or sys.platform == "win32"
    return not dumb and os.environ.get("CI", "") in ("", "0", "false")


def environment_of_helpers() -> dict[str, str]:
    """What a credential helper inherits: all but the logins that are for registries, and for us to use."""
    return {name: value for name, value in os.environ.items() if not name.upper().startswith(_LOGIN_PREFIXES)}


def environment() -> Mapping[str, str]:
    """All of it, for files that name variables."""
    return os.environ


def _limits(options: Mapping[str, Iterable[str]], environ: Mapping[str, str]) -> Limits:
    """Options before variables before the file, host by host."""
    told = [read_limits({kind: split_pairs(texts) for kind, texts in options.items()})]
    for kind in KINDS:
        name = f"IMAGESYNC_{kind.upper()}"
        told.append(read_limits({kind: split_pairs(environ.get(name, "").replace(",", " ").split())}, name))
    told.append(_limits_of_file(environ))
    return {kind: {host: most for each in reversed(told) for host, most in each[kind].items()} for kind in KINDS}


def _limits_of_file(environ: Mapping[str, str]) -> Limits:
    folder = _folder(environ, *_CONFIG_FOLDER)
    named, usual = environ.get("IMAGESYNC_CONFIG"), folder / "imagesync" / "config.json" if folder else None
    file = Path(named) if named else usual
    try:
        content = _beginning(file) if file else b""
    except OSError as error:
        if named or (file and os.access(file, os.F_OK)):
            raise UsageError(f"{file} cannot be read: {error.strerror}") from error
        content = b""
    return _parse_config(content, str(file)) if content else read_limits({})


def _parse_config(content: bytes, name: str) -> Limits:
    from imagesync_cli.values.documents import read_document, without_mark  # most users have no such file

    try:
        document = read_document(without_mark(content))
    except ValueError as error:
        raise UsageError(f"{name} is not a settings file: {error}", hint=_CONFIG_HINT) from error
    if not isinstance(document, dict):
        raise UsageError(f"{name} is not a settings file: it is not an object", hint=_CONFIG_HINT)
    if unknown := document.keys() - KINDS:
        raise UsageError(f"{name} has an unknown setting: {min(unknown)[:100]!r}", hint=_CONFIG_HINT)
    for kind, told in document.items():
        if not isinstance(told, dict):
            raise UsageError(f"{name} is not a settings file: {kind} names no hosts", hint=_CONFIG_HINT)
    return read_limits({kind: told.items() for kind, told in document.items()}, name)


def _timeout_s(text: str) -> float:
    try:
        seconds = float(text or DEFAULT_TIMEOUT_S)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise UsageError(f"IMAGESYNC_TIMEOUT is {text!r}", hint="it takes a number of seconds, such as 30")
    return seconds


def _logins(environ: Mapping[str, str]) -> Iterator[tuple[str, Secret]]:
    for name, value in environ.items():
        if value and (name in _LOGIN_NAMES or name.upper().startswith(_LOGIN_PREFIXES)):
            yield name.upper(), Secret(value)


def _folder(environ: Mapping[str, str], variable: str, usual: str) -> Path | None:
    """The folder that a variable names, else the usual one in the user's home; None where there is none."""
    if environ.get(variable):
        return Path(environ[variable])
    home = environ.get("HOME") or environ.get("USERPROFILE")
    return Path(home, usual) if home else None


def _meeting_folder(environ: Mapping[str, str]) -> Path | None:
    """The same for all that one user runs, from a shell as from cron; so none of a session's own."""
    if not hasattr(os, "getuid"):
        return None
    # Used only if it is ours.
    return Path(environ.get("TMPDIR") or "/tmp", f"imagesync-{os.getuid()}")  # noqa: S108  # nosec B108


def _beginning(file: Path) -> bytes:
    """As much of a file as it may have: a device may never end."""
    with file.open("rb") as stream:
        return stream.read(_MOST_CONFIG_BYTES)


def _docker_proxies(environ: Mapping[str, str]) -> dict[str, str]:
    """What Docker's config.json gives its containers and builds; a broken file is told where logins are read."""
    folder = _folder(environ, *_DOCKER_FOLDER)
    with contextlib.suppress(OSError, ValueError, AttributeError, KeyError, TypeError, RecursionError):
        text = _beginning(folder / "config.json") if folder else b""
        if b'"proxies"' in text:  # hardly ever, and JSON takes its time to load
            import json

            said = json.loads(text)["proxies"]["default"]
            return {known: said[key] for key, known in _DOCKER_PROXIES.items() if isinstance(said.get(key), str)}
    return {}


def _usual_auth_files(environ: Mapping[str, str]) -> Iterator[Path]:
    """Where Docker, then Podman and skopeo, keep logins."""
    if docker := _folder(environ, *_DOCKER_FOLDER):
        yield docker / "config.json"
    if environ.get("XDG_RUNTIME_DIR"):
        yield Path(environ["XDG_RUNTIME_DIR"], "containers", "auth.json")
    elif hasattr(os, "getuid"):
        yield Path("/run/containers", str(os.getuid()), "auth.json")
    if folder := _folder(environ, *_CONFIG_FOLDER):
        yield folder / "containers" / "auth.json"


def _certificate_folders(environ: Mapping[str, str]) -> Iterator[Path]:
    """Where certs.d/HOST may lie: the user's before the machine's, Docker's before Podman's."""
    if docker := _folder(environ, *_DOCKER_FOLDER):
        yield docker / "certs.d"
    yield Path("/etc/docker/certs.d")
    yield Path("/etc/containers/certs.d")
