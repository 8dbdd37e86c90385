"""Azure Container Registry by azure-identity: environment, workload and managed identities, the Azure CLI's login.

An Entra access token is exchanged at the registry itself for a refresh token, which the usual handshake then uses
(learn.microsoft.com, "Azure Container Registry authentication").
"""

from __future__ import annotations

import json

from azure.core.exceptions import AzureError, ClientAuthenticationError
from azure.identity import CredentialUnavailableError, DefaultAzureCredential

from imagesync_cli.credentials.cloud import in_thread
from imagesync_cli.credentials.credential import Anonymous, Credential, Wanted
from imagesync_cli.values.errors import Denied, Unavailable
from imagesync_cli.values.secret import Secret

# What the token is for, by the cloud in which the registry lives.
_AUDIENCES = {
    "io": "https://containerregistry.azure.net",
    "cn": "https://management.chinacloudapi.cn",
    "us": "https://management.usgovcloudapi.net",
}
_ADVICE = "no Azure login was found: az login, or give the machine or job a managed identity"


async def log_in(wanted: Wanted) -> Credential | Anonymous:
    """A refresh token, good for three hours."""
    audience = _AUDIENCES[wanted.registry.rpartition(".")[2]]
    entra = await in_thread(lambda: _entra_token(f"{audience}/.default", wanted.registry), "Azure")
    if isinstance(entra, Anonymous):
        return entra
    form = {"grant_type": "access_token", "service": wanted.registry, "access_token": entra.reveal()}
    status, content = await wanted.post(f"https://{wanted.registry}/oauth2/exchange", form)
    if status >= 500:
        raise Unavailable(f"{wanted.registry} exchanges no token ({status})")
    try:
        refresh_token = json.loads(content)["refresh_token"] if status == 200 else None
    except (ValueError, KeyError, TypeError, RecursionError):
        refresh_token = None
    if not isinstance(refresh_token, str):
        hint = "give the identity the role AcrPull or AcrPush"
        raise Denied(f"{wanted.registry} does not take the Azure login of this machine ({status})", hint=hint)
    return Credential("the Azure login of this machine", identity_token=Secret(refresh_token))


def _entra_token(scope: str, registry: str) -> Secret | Anonymous:
    try:
        with DefaultAzureCredential() as credential:
            return Secret(credential.get_token(scope).token)
    except CredentialUnavailableError:
        return Anonymous(_ADVICE)
    except ClientAuthenticationError as error:
        # The chain as a whole says this as well when no part of it is set up; its text has the reasons, no secrets.
        if "failed to retrieve a token from the included credentials" in str(error):
            return Anonymous(_ADVICE)
        raise Denied(f"Azure gives no login for {registry}", hint=_ADVICE) from error
    except AzureError as error:
        raise Unavailable(f"Azure gives no login for {registry}: {type(error).__name__}") from error
