"""distribution v3 as companies run it: behind nginx with TLS and htpasswd, with token authentication, as a cache.

The token server is a double (credentials/token_server.py); registries and nginx are the real programs.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from tests import peers
from tests.credentials.token_server import ISSUER, SERVICE, TokenServer
from tests.security.authority import Authority
from tests.served import Served

LOGIN = ("ann", "secret")
TOKEN_LIFE_S = 12
# distribution's own recipe, docs/content/recipes/nginx.md, without what nginx would log.
_NGINX = """\
daemon off;
master_process off; # a worker would outlive a master that is killed
worker_processes 1;
pid {folder}/pid;
error_log {folder}/log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen {host} ssl;
        ssl_certificate {certificate};
        ssl_certificate_key {key};
        client_max_body_size 0;
        chunked_transfer_encoding on;
        location /v2/ {{
            auth_basic "Registry realm";
            auth_basic_user_file {folder}/htpasswd;
            add_header Docker-Distribution-Api-Version registry/2.0 always;
            proxy_pass http://{backend};
            proxy_set_header Host $http_host;
            proxy_set_header X-Real-IP $remote_addr;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_read_timeout 900;
        }}
    }}
}}
"""
_TOKENS = "auth: {{token: {{realm: 'http://{realm}/token', service: {service}, issuer: {issuer}, {bundle}}}}}\n"
_CACHE = "proxy: {{remoteurl: 'http://{upstream}'}}\n"


@contextlib.contextmanager
def behind_nginx(folder: Path) -> Iterator[Served]:
    """Run distribution v3 behind nginx, which has the only certificate and asks for the password."""
    nginx, host, authority = peers.program("nginx"), peers.free_host(), Authority(folder)
    certificate, key = authority.issue("127.0.0.1")
    (folder / "htpasswd").write_text(f"{LOGIN[0]}:{{PLAIN}}{LOGIN[1]}\n")
    with peers.distribution_v3(folder) as backend:
        config = _NGINX.format(folder=folder, host=host, certificate=certificate, key=key, backend=backend)
        (folder / "nginx.conf").write_text(("user root;\n" if os.geteuid() == 0 else "") + config)
        with peers.running([nginx, "-c", str(folder / "nginx.conf"), "-e", str(folder / "log")], host):
            yield Served(host, LOGIN, ca_file=authority.ca_file)


@contextlib.contextmanager
def with_tokens(folder: Path) -> Iterator[Served]:
    """Run distribution v3 with a token server, whose tokens live twelve seconds."""
    tokens = TokenServer(folder, *LOGIN, life_s=TOKEN_LIFE_S)
    with tokens.server as server:
        bundle = f"rootcertbundle: {tokens.bundle}"
        auth = _TOKENS.format(realm=server.host, service=SERVICE, issuer=ISSUER, bundle=bundle)
        with peers.distribution_v3(folder, more=auth) as host:
            yield Served(host, LOGIN, by_tokens=True)


@contextlib.contextmanager
def pull_through(folder: Path, upstream: str) -> Iterator[Served]:
    """Run distribution v3 as a cache of another registry."""
    with peers.distribution_v3(folder, more=_CACHE.format(upstream=upstream)) as host:
        yield Served(host)
