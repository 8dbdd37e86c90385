"""A certificate for this run, and a name of this machine that tools do not take for a plain HTTP one."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
from pathlib import Path

from benchmarks.registries import Tls


def certificate(folder: Path) -> Tls | None:
    """Make a certificate that is its own CA; None without openssl or a name for 127.0.0.1."""
    name, openssl = socket.gethostname(), shutil.which("openssl")
    if openssl is None or not _is_loopback(name):
        return None
    made = Tls(name, folder / "certificate.pem", folder / "key.pem")
    extensions = (f"subjectAltName=DNS:{name}", "keyUsage=critical,digitalSignature,keyCertSign")
    command = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    command += ["-subj", f"/CN={name}", "-keyout", str(made.key), "-out", str(made.certificate)]
    for extension in extensions:
        command += ["-addext", extension]
    subprocess.run(command, check=True, capture_output=True)
    return made


def context(tls: Tls | None) -> ssl.SSLContext | None:
    """What a client needs to trust the certificate; None for plain HTTP."""
    return ssl.create_default_context(cafile=str(tls.certificate)) if tls else None


def _is_loopback(name: str) -> bool:
    try:
        addresses = {str(found[4][0]) for found in socket.getaddrinfo(name, None)}
    except OSError:
        return False
    return name != "localhost" and addresses == {"127.0.0.1"}
