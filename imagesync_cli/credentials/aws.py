"""Amazon ECR by boto3: profiles, assumed roles, IRSA, instance and task roles, whatever boto3 finds.

A private registry belongs to the region in its name, which is asked even where the account is another one: the
repository's policy decides, not the token. ECR Public is asked in its one region.
"""

from __future__ import annotations

import base64
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from imagesync_cli.credentials.cloud import in_thread
from imagesync_cli.credentials.credential import Anonymous, Credential, Wanted
from imagesync_cli.values.errors import Denied, ImagesyncError, Unavailable
from imagesync_cli.values.hosts import AMAZON
from imagesync_cli.values.secret import Secret

_PUBLIC_REGION = "us-east-1"
_ADVICE = "no AWS credentials were found: set AWS_PROFILE, or give the machine or job a role"


async def log_in(wanted: Wanted) -> Credential | Anonymous:
    """A user name and password, good for twelve hours."""
    return await in_thread(lambda: _log_in(wanted.registry), "AWS")


def _log_in(registry: str) -> Credential | Anonymous:
    private = AMAZON.match(registry)
    service, region = ("ecr", private["region"]) if private else ("ecr-public", _PUBLIC_REGION)
    asked = config(fips=bool(private and private["fips"]))
    try:
        client = boto3.Session().client(service, region_name=region, config=asked)
        data: Any = client.get_authorization_token()["authorizationData"]
    except NoCredentialsError:
        return Anonymous(_ADVICE)
    except ClientError as error:
        if not private:  # everybody may pull there: not being allowed to log in is no reason not to
            return Anonymous(f"AWS gives no login for {registry}: {_code(error)}")
        raise _translated(error, registry) from error
    except BotoCoreError as error:
        raise Unavailable(f"AWS gives no login for {registry}: {error}", may_pass=False, hint=_ADVICE) from error
    token = base64.b64decode((data[0] if private else data)["authorizationToken"]).decode("ascii")
    username, _, password = token.partition(":")
    return Credential("the AWS login of this machine", username, Secret(password))


def config(*, fips: bool) -> Config:
    """How AWS is asked, for a login as for anything else."""
    retries = {"mode": "standard", "total_max_attempts": 3}
    return Config(connect_timeout=5, read_timeout=15, retries=retries, use_fips_endpoint=fips or None)


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", "no reason given"))


def _translated(error: ClientError, registry: str) -> ImagesyncError:
    code = _code(error)
    message = f"AWS gives no login for {registry}: {code}"
    if code in ("ThrottlingException", "Throttling", "ServerException", "InternalFailure", "ServiceUnavailable"):
        return Unavailable(message)
    if "Expired" in code:
        return Denied(message, hint="the session has expired: sign in to AWS again")
    return Denied(message, hint="the role needs ecr:GetAuthorizationToken on *")
