"""Logins in environment variables: by host for any CI, and the tokens that GitHub and GitLab give their own jobs.

settings.py has read the variables. A job's token is used only where it is asked for, and only for the registry it is
meant for.
"""

from __future__ import annotations

from imagesync_cli.credentials.credential import Credential, Wanted
from imagesync_cli.values.errors import UsageError
from imagesync_cli.values.hosts import GITHUB
from imagesync_cli.values.secret import NO_SECRET, Secret

_USERNAME, _PASSWORD = "IMAGESYNC_USERNAME_", "IMAGESYNC_PASSWORD_"


async def from_variables(wanted: Wanted) -> Credential | None:
    """IMAGESYNC_USERNAME_<HOST> and IMAGESYNC_PASSWORD_<HOST>, with HOST as ``variable_name`` spells it."""
    host = variable_name(wanted.registry)
    username, password = (wanted.settings.logins.get(prefix + host) for prefix in (_USERNAME, _PASSWORD))
    if username is None and password is None:
        return None
    if not username or not password:
        there, missing = (_USERNAME, _PASSWORD) if username else (_PASSWORD, _USERNAME)
        raise UsageError(f"{there}{host} is set without {missing}{host}", hint="set both, or neither")
    return Credential(_USERNAME + host, username.reveal(), password)


def as_variables(registry: str, username: str, password: Secret) -> dict[str, Secret]:
    """The login as the settings of a run that is to try it."""
    host = variable_name(registry)
    return {_USERNAME + host: Secret(username), _PASSWORD + host: password}


def variable_name(registry: str) -> str:
    """REGISTRY_EXAMPLE_COM_5000 for registry.example.com:5000; a dash is two underscores.

    No two hosts share a name: otherwise whoever registers the other one would get the password.
    """
    return registry.upper().replace("-", "__").replace(".", "_").replace(":", "_")


async def from_ci_job(wanted: Wanted) -> Credential | None:
    """The job's own token, with IMAGESYNC_CI_LOGIN=1: GITHUB_TOKEN for ghcr.io, CI_JOB_TOKEN for CI_REGISTRY."""
    logins = wanted.settings.logins
    if logins.get("IMAGESYNC_CI_LOGIN") != Secret("1"):
        return None
    token = logins.get("GITHUB_TOKEN", NO_SECRET)
    if GITHUB.match(wanted.registry) and token:
        return Credential("GITHUB_TOKEN", logins.get("GITHUB_ACTOR", NO_SECRET).reveal() or "x-access-token", token)
    token = logins.get("CI_JOB_TOKEN", NO_SECRET)
    if token and wanted.registry == logins.get("CI_REGISTRY", NO_SECRET).reveal().lower():
        return Credential("CI_JOB_TOKEN", "gitlab-ci-token", token)
    return None
