"""Who we are at a registry.

The sources, in the order in which they are asked; the first that knows the registry answers:

1. the file named by ``--src-auth-file`` or ``--dst-auth-file`` for its side of a copy
2. the files named by IMAGESYNC_AUTH_FILE and REGISTRY_AUTH_FILE
3. Docker's ``$DOCKER_CONFIG/config.json``, or ``~/.docker/config.json``
4. Podman's ``$XDG_RUNTIME_DIR/containers/auth.json``, or ``/run/containers/UID/auth.json``, then
   ``~/.config/containers/auth.json``
   (1 to 4: docker_config.py; within a file first the helper named for the registry, then the file's own entry, then
   the helper for all registries: helpers.py)
5. the variables IMAGESYNC_USERNAME_<HOST> and IMAGESYNC_PASSWORD_<HOST> (environment.py)
6. with IMAGESYNC_CI_LOGIN=1, the token of a GitHub or GitLab job for its own registry (environment.py)
7. the cloud that the registry belongs to: Amazon, Google, Microsoft (cloud.py)
8. nobody: the request stays anonymous

A source that is broken is an error for the registry that needs it, never a reason to go on anonymously. Nothing is
read, run or asked before a registry answers 401.
"""

from __future__ import annotations

import logging

from imagesync_cli.credentials.cloud import from_cloud
from imagesync_cli.credentials.credential import Anonymous, Credential, Post, Wanted
from imagesync_cli.credentials.docker_config import account, from_files
from imagesync_cli.credentials.environment import from_ci_job, from_variables

__all__ = ["Anonymous", "Credential", "Post", "Wanted", "account", "find_login"]

SOURCES = (from_files, from_variables, from_ci_job, from_cloud)
_log = logging.getLogger(__name__)


async def find_login(wanted: Wanted) -> Credential | Anonymous:
    for source in SOURCES:
        login = await source(wanted)
        if isinstance(login, Credential):
            _log.info("%s: logging in with %s", wanted.registry, login.source)
            return login
        if login is not None:
            _log.info("%s: going on anonymously: %s", wanted.registry, login.advice)
            return login
    _log.info("%s: no source knows a login; going on anonymously", wanted.registry)
    return Anonymous(
        f"log in with: imagesync login --username NAME {wanted.registry}, or: docker login {wanted.registry}"
    )
