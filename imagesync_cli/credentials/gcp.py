"""Artifact Registry and Container Registry by Google's application default credentials.

Service account keys, workload identity, the metadata server and `gcloud auth application-default login`: whatever
google-auth finds.
"""

from __future__ import annotations

import google.auth
import google.auth.credentials
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError, TransportError
from google.auth.transport.requests import Request

from imagesync_cli.credentials.cloud import in_thread
from imagesync_cli.credentials.credential import Anonymous, Credential, Wanted
from imagesync_cli.values.errors import Denied, Unavailable
from imagesync_cli.values.secret import Secret

_SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
# The user name under which Google's registries take an access token for a password.
_USERNAME = "oauth2accesstoken"
_ADVICE = "no Google credentials were found: gcloud auth application-default login"


async def log_in(wanted: Wanted) -> Credential | Anonymous:
    """An access token, good for an hour."""
    return await in_thread(lambda: _log_in(wanted.registry), "Google")


def _log_in(registry: str) -> Credential | Anonymous:
    try:
        credentials, _ = google.auth.default(scopes=_SCOPES)
    except DefaultCredentialsError as error:
        if "default credentials were not found" in str(error):
            return Anonymous(_ADVICE)
        hint = "repair the file that GOOGLE_APPLICATION_CREDENTIALS names"
        raise Denied(f"Google gives no login for {registry}: its credentials cannot be read", hint=hint) from error
    try:
        credentials.refresh(Request())  # type: ignore[no-untyped-call]
    except TransportError as error:
        raise Unavailable(f"Google gives no login for {registry}: its token service does not answer") from error
    except GoogleAuthError as error:
        hint = "sign in again: gcloud auth application-default login"
        raise Denied(f"Google gives no login for {registry}: {type(error).__name__}", hint=hint) from error
    return Credential("the Google login of this machine", _USERNAME, Secret(str(credentials.token)))
