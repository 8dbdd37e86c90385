"""What TLS needs to know: which certificates to trust, which one to show, and what to say when it fails.

Trusted are the system's authorities (by the library truststore where it is installed), those in the files named by
--ca-file and SSL_CERT_FILE, and for one host those in certs.d/HOST[:PORT]/*.crt, as with Docker; a pair of
certs.d/HOST[:PORT]/NAME.cert and NAME.key is the client's certificate (docs.docker.com, "Verify repository client
with certificates"). Certificates are always verified.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ssl
from pathlib import Path

from imagesync_cli.concurrency import within
from imagesync_cli.settings import Settings
from imagesync_cli.stores.transport.addresses import bracketed
from imagesync_cli.values.errors import ImagesyncError, Unavailable, UsageError

_PEEK_TIMEOUT_S = 5.0
# OpenSSL's names for an answer that is not TLS at all.
_NOT_TLS = frozenset({"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG", "HTTP_REQUEST"})
_WANTS_CERTIFICATE = ("CERTIFICATE_REQUIRED", "HANDSHAKE_FAILURE", "BAD_CERTIFICATE", "UNKNOWN_CA")


class Tls:
    """The contexts of one run: one for everybody, and one for each host that has a certs.d folder."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._shared: ssl.SSLContext | None = None

    def context(self, host: str, port: int, *, is_stranger: bool = False) -> ssl.SSLContext:
        """Loading the authorities takes 20 ms: once, and only when a host speaks TLS. UsageError names a bad file.

        A stranger, which another host named, is shown no certificate.
        """
        files = self._files(host, port)
        if files:
            return self._make(files, is_stranger=is_stranger)
        if self._shared is None:
            self._shared = self._make([])
        return self._shared

    def _files(self, host: str, port: int) -> list[Path]:
        """What is in a host's folders of certs.d; one that cannot be read is not one that is empty, or not there."""
        literal = bracketed(host)
        names = [f"{literal}:{port}", literal] if port == 443 else [f"{literal}:{port}"]
        files: list[Path] = []
        for folder in (folder / name for folder in self._settings.certificate_folders for name in names):
            try:
                files += sorted(folder.iterdir())
            except (FileNotFoundError, NotADirectoryError):  # noqa: PERF203
                continue
            except OSError as error:
                if error.errno == errno.EINVAL:  # on Windows no name has a colon, so there is no such folder
                    continue
                hint = "it may hold certificates for this host: let this user read it"
                raise UsageError(f"cannot read {folder}: {error.strerror}", hint=hint) from error
        return files

    def _make(self, files: list[Path], *, is_stranger: bool = False) -> ssl.SSLContext:
        try:
            import truststore

            context: ssl.SSLContext = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        except ImportError:
            context = ssl.create_default_context()
        # The same on every Python, and as Go's clients have it. Python 3.13 turns both on: a private authority whose
        # basic constraints are not critical, or a certificate without its authority's key identifier, fails only there.
        context.verify_flags = context.verify_flags & ~ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
        if self._settings.ssl_cert_file is not None:
            _add_to_system(context, self._settings.ssl_cert_file)
        if self._settings.ca_file is not None:
            _trust(context, self._settings.ca_file)
        for file in files:
            if file.suffix == ".crt":
                _trust(context, file)
            elif file.suffix == ".cert" and not is_stranger:
                _show(context, file)
        return context

    async def explain(self, error: ssl.SSLError, host: str, port: int, *, direct: bool) -> ImagesyncError:
        """Our error for a failed handshake: what is wrong with which name, and which file to set.

        ``direct`` is whether the host can be reached without a proxy.
        """
        where = _where(host, port)
        if isinstance(error, ssl.SSLCertVerificationError):
            names = await self._names(host, port) if direct and "mismatch" in error.verify_message else []
            return self._not_trusted(error.verify_message, host, where, names)
        reason = error.reason or str(error)
        if any(name in reason for name in _WANTS_CERTIFICATE):
            message = f"{where} does not accept our certificate, or wants one that we do not have ({reason})"
            hint = f"put client.cert and client.key into {self._example(where)}"
            return Unavailable(message, hint=hint, may_pass=False)
        if reason in _NOT_TLS:
            hint = f"if it speaks plain HTTP, add --plain-http {where}"
            return Unavailable(f"{where} does not speak TLS", hint=hint, may_pass=False)
        return Unavailable(f"{where} does not speak TLS as expected: {reason}")

    def certificate_hint(self, host: str, port: int) -> str:
        """What to do where a client certificate may be missing."""
        return (
            f"if it wants a client certificate, put client.cert and client.key into {self._example(_where(host, port))}"
        )

    def _not_trusted(self, why: str, host: str, where: str, names: list[str]) -> ImagesyncError:
        message = f"the certificate of {where} is not trusted: {why}"
        if "mismatch" in why:
            its_names = f" but for {', '.join(names)}" if names else ""
            message = f"the certificate of {where} is not for {host}{its_names}"
            hint = "use one of its names, or have a certificate made for this one"
        elif "expired" in why or "not yet valid" in why:
            hint = "renew it, or set this machine's clock"
        else:
            hint = f"put the authority that signed it into {self._example(where)}/ca.crt, or name it with --ca-file"
            hint += " or SSL_CERT_FILE"
        return Unavailable(message, hint=hint, may_pass=False)

    async def _names(self, host: str, port: int) -> list[str]:
        """The names in a certificate that is good but for its name; nothing is sent to the server, nor shown to it."""
        context = self._make(self._files(host, port), is_stranger=True)
        context.check_hostname = False
        with contextlib.suppress(OSError, asyncio.TimeoutError):
            connecting = asyncio.open_connection(host, port, ssl=context)
            _, writer = await within(_PEEK_TIMEOUT_S, connecting)
            certificate = writer.get_extra_info("peercert") or {}
            writer.transport.abort()
            return [str(name) for _, name in certificate.get("subjectAltName", ())][:10]
        return []

    def _example(self, where: str) -> Path:
        folders = self._settings.certificate_folders or (Path("/etc/docker/certs.d"),)
        return folders[0] / where


def _where(host: str, port: int) -> str:
    return bracketed(host) if port == 443 else f"{bracketed(host)}:{port}"


def _add_to_system(context: ssl.SSLContext, ssl_cert_file: Path) -> None:
    """OpenSSL has read SSL_CERT_FILE in place of the system's own file, and said nothing if there was none in it."""
    if not ssl_cert_file.is_file():
        raise UsageError(f"SSL_CERT_FILE names {ssl_cert_file}, which is not a file")
    _trust(context, ssl_cert_file)
    usual = ssl.get_default_verify_paths()
    if not Path(usual.openssl_capath).is_dir() and Path(usual.openssl_cafile).is_file():
        _trust(context, Path(usual.openssl_cafile))


def _trust(context: ssl.SSLContext, file: Path) -> None:
    try:
        context.load_verify_locations(cafile=file)
    except ssl.SSLError as error:
        raise UsageError(f"{file} holds no certificate of an authority", hint="it takes PEM text") from error
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror}", hint="it takes authorities to trust") from error


def _show(context: ssl.SSLContext, certificate: Path) -> None:
    key = certificate.with_suffix(".key")
    try:
        # Never ask for a password on the terminal: nobody may be there.
        context.load_cert_chain(certificate, key, password=lambda: "")
    except ssl.SSLError as error:
        raise UsageError(f"{certificate} and {key} are not a certificate and its key, without password") from error
    except OSError as error:
        raise UsageError(f"cannot read {certificate} with {key}: {error.strerror}") from error
