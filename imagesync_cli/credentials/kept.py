"""What a login becomes where it is kept for later runs; stores/logins.py decides where, and writes the file."""

from __future__ import annotations

from imagesync_cli.credentials.docker_config import (
    has_login,
    helper_for,
    read_file,
    server_name,
    with_login,
    without_login,
)
from imagesync_cli.credentials.environment import login_variables
from imagesync_cli.credentials.helpers import make_helper_forget, tell_helper
from imagesync_cli.values.secret import Secret

__all__ = [
    "as_variables",
    "has_login",
    "helper_for",
    "make_helper_forget",
    "read_file",
    "server_name",
    "tell_helper",
    "with_login",
    "without_login",
]


def as_variables(registry: str, username: str, password: Secret) -> dict[str, Secret]:
    """The login as the settings of a run that is to try it."""
    names = login_variables(registry)
    return {names[0]: Secret(username), names[1]: password}
