"""A small proxy that notes what it is asked: it forwards plain HTTP, and ends CONNECT with a certificate of its own.

Whatever host is asked for, the answer comes from one embedded registry.
"""

from __future__ import annotations

import contextlib
import http.server
import ssl
import threading
from types import TracebackType
from typing import Any

import httpx


class Proxy:
    """Serves while its ``with`` block lasts; ``asked`` holds the method and target of each request."""

    def __init__(self, upstream: str, certificate: ssl.SSLContext | None = None) -> None:
        self.asked: list[tuple[str, str]] = []
        self.logins: list[str] = []
        self.refuses = 403  # what it answers to CONNECT without a certificate
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(self, upstream, certificate))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Proxy:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _handler(proxy: Proxy, upstream: str, certificate: ssl.SSLContext | None) -> type[Any]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def forward(self) -> None:
            self.note()
            url = httpx.URL(self.path).copy_with(scheme="http", netloc=upstream.encode())
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            kept = {name: value for name, value in self.headers.items() if name.lower() != "host"}
            answer = httpx.request(self.command, url, headers=kept, content=body, trust_env=False)
            self.send_response(answer.status_code)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.content)

        do_GET = do_HEAD = do_POST = do_PUT = forward  # noqa: N815

        def do_CONNECT(self) -> None:
            self.note()
            self.close_connection = True
            if certificate is None:
                self.send_error(proxy.refuses, "no tunnels here")
                return
            self.send_response(200)
            self.end_headers()
            with contextlib.suppress(OSError), certificate.wrap_socket(self.connection, server_side=True) as secure:
                type(self)(secure, self.client_address, self.server)

        def note(self) -> None:
            proxy.asked.append((self.command, self.path))
            if login := self.headers.get("Proxy-Authorization"):
                proxy.logins.append(login)

        def log_message(self, *_: object) -> None:
            """Say nothing: the test looks at what was noted."""

    return Handler
