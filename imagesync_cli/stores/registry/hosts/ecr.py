"""Amazon ECR, by boto3 (the extra ``aws``): BatchDeleteImage removes a tag, and with its last tag the image.

docs.aws.amazon.com/cli/latest/reference/ecr, batch-delete-image and describe-images. ECR itself keeps what an index
lists.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from imagesync_cli.credentials.cloud import in_thread
from imagesync_cli.stores.registry.hosts.host_api import HostApi
from imagesync_cli.stores.store import Untagged
from imagesync_cli.values.errors import Denied, ImagesyncError, Refused, Unavailable, UsageError
from imagesync_cli.values.hosts import AMAZON


async def untag(api: HostApi, tag: str, digest: str) -> Untagged:
    """Remove the tag if it is on this digest."""
    image = {"imageTag": tag, "imageDigest": digest}
    needs = "removing a tag from", "ecr:BatchDeleteImage"
    answer = await in_thread(lambda: _call(api, "batch_delete_image", image, *needs), "AWS")
    failures = {failure["failureCode"]: failure.get("failureReason", "") for failure in answer.get("failures", ())}
    if not failures:
        return Untagged.DONE
    if failures.keys() <= {"ImageNotFound", "ImageTagDoesNotMatchDigest"}:
        return Untagged.ABSENT
    said = "; ".join(f"{code}: {reason}" for code, reason in failures.items())
    raise Refused(f"{api.name}:{tag} cannot be removed: {said}")


async def pushed_at(api: HostApi, _: str, digest: str) -> datetime | None:
    """When this digest was pushed; None where ECR does not tell."""
    image = {"imageDigest": digest}
    needs = "asking for push times of", "ecr:DescribeImages"
    answer = await in_thread(lambda: _call(api, "describe_images", image, *needs), "AWS")
    details = answer.get("imageDetails") or [{}]
    told = details[0].get("imagePushedAt")
    return told if isinstance(told, datetime) else None


def _call(api: HostApi, action: str, image: dict[str, str], doing: str, permission: str) -> Any:
    try:
        import boto3
        from botocore.exceptions import BotoCoreError, ClientError

        from imagesync_cli.credentials.aws import config
    except ImportError as error:
        raise UsageError(f"{doing} {api.name} needs boto3", hint="pip install 'imagesync-cli[aws]'") from error
    host = AMAZON.match(api.client.registry)
    account = {"registryId": host["account"]} if host else {}
    region, fips = (host["region"], bool(host["fips"])) if host else (None, False)
    try:
        # AWS's own address for the region, which boto3 knows; api.address is a double's.
        endpoint = None if host else api.address
        client = boto3.client("ecr", region_name=region, endpoint_url=endpoint, config=config(fips=fips))
        return getattr(client, action)(repositoryName=api.repository, imageIds=[image], **account)
    except ClientError as error:
        raise _translated(error, api, doing, permission) from error
    except BotoCoreError as error:
        raise Unavailable(f"no answer from AWS for {api.name}: {error}", may_pass=False) from error


def _translated(error: Any, api: HostApi, doing: str, permission: str) -> ImagesyncError:
    code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
    if "AccessDenied" in code or "Token" in code or "Signature" in code:
        return Denied(
            f"{doing} {api.name} is not allowed by AWS: {code}: {message}",
            hint=f"the role needs {permission}",
        )
    return Refused(f"{doing} {api.name} is refused by AWS: {code}: {message}")
