"""Connections that are begun before anything else is: looking up and connecting take as long as loading the rest.

Threads, because there is no event loop yet. Only sockets: what is sent over them waits for stores/transport/http.py.
"""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING

from imagesync_cli.settings import Settings
from imagesync_cli.values.reference import Reference, RegistryReference

if TYPE_CHECKING:
    import asyncio
    from concurrent.futures import Future

    Preconnected = Future[socket.socket] | asyncio.Future[socket.socket]

_TIMEOUT_S = 10.0
_MOST = 8


def preconnect(references: Iterable[Reference], settings: Settings) -> dict[tuple[str, int], Preconnected]:
    """Begin a connection to each registry, by host and port. One that fails says so to whoever takes it over."""
    if settings.proxies:
        return {}
    # The threads compute next to nothing: they need not wait 5 ms for their turn while this one loads modules.
    sys.setswitchinterval(0.0005)
    registries = (reference.registry for reference in references if isinstance(reference, RegistryReference))
    addresses = list(dict.fromkeys(map(settings.address, registries)))[:_MOST]
    begun: dict[tuple[str, int], Future[socket.socket]] = {}
    are_there = threading.Event()

    def connect(address: tuple[str, int]) -> None:
        outcome: socket.socket | Exception
        try:
            outcome = _connected(*address)
        except (OSError, UnicodeError, OverflowError) as error:  # the last one for a port that does not exist
            outcome = error
        are_there.wait()
        if isinstance(outcome, Exception):
            begun[address].set_exception(outcome)
        else:
            begun[address].set_result(outcome)

    for address in addresses:
        threading.Thread(target=connect, args=(address,), daemon=True).start()
    from concurrent.futures import Future  # as long as connecting takes on a fast network

    begun.update((address, Future()) for address in addresses)
    for future in begun.values():
        future.set_running_or_notify_cancel()  # from now on nobody cancels it
    are_there.set()
    return dict(begun)


def close_unused(begun: Iterable[Preconnected]) -> None:
    """Close those connections, each as soon as it is there."""
    for future in begun:
        future.add_done_callback(_close)


def _close(future: Preconnected) -> None:
    if not future.cancelled() and future.exception() is None:
        future.result().close()


def _connected(name: str, port: int) -> socket.socket:
    """The first address that answers. As socket.create_connection, which loads the IDNA codec to read the name."""
    failure = OSError(f"{name} has no address")
    for family, kind, protocol, _, address in socket.getaddrinfo(name.encode("ascii"), port, type=socket.SOCK_STREAM):
        connecting = socket.socket(family, kind, protocol)
        try:
            connecting.settimeout(_TIMEOUT_S)
            connecting.connect(address)
            connecting.setblocking(False)  # noqa: FBT003
        except OSError as error:
            connecting.close()
            failure = error
        else:
            return connecting
    raise failure
