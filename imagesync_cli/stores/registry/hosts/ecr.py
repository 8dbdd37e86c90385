"""Amazon ECR: BatchDeleteImage removes a tag, and with its last tag the image, by boto3 (the extra ``aws``).

docs.aws.amazon.com/cli/latest/reference/ecr/batch-delete-image.html. ECR itself keeps what an index lists.
"""

from __future__ import annotations

import re
from typing import Any

from imagesync_cli.credentials.cloud import in_thread
from imagesync_cli.stores.registry.hosts.host_api import Place
from imagesync_cli.stores.store import Untagged
from imagesync_cli.values.errors import Denied, ImagesyncError, Refused, Unavailable, UsageError

HOSTS = re.compile(r"([0-9]{12})\.dkr[.-]ecr(-fips)?\.([a-z0-9-]+)\.(amazonaws\.com(\.cn)?|on\.aws)")


async def untag(place: Place, tag: str, digest: str) -> Untagged:
    """Remove the tag if it is on this digest."""
    image = {"imageTag": tag, "imageDigest": digest}
    answer = await in_thread(lambda: _batch_delete(place, image), "AWS")
    failures = {failure["failureCode"]: failure.get("failureReason", "") for failure in answer.get("failures", ())}
    if not failures:
        return Untagged.DONE
    if failures.keys() <= {"ImageNotFound", "ImageTagDoesNotMatchDigest"}:
        return Untagged.ABSENT
    said = "; ".join(f"{code}: {reason}" for code, reason in failures.items())
    raise Refused(f"{place.name}:{tag} cannot be removed: {said}")


def _batch_delete(place: Place, image: dict[str, str]) -> Any:
    try:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError as error:
        raise UsageError(
            f"removing a tag from {place.name} needs boto3", hint="pip install 'imagesync-cli[aws]'"
        ) from error
    found = HOSTS.fullmatch(place.client.registry)
    account = {"registryId": found[1]} if found else {}
    region, fips = (found[3], bool(found[2])) if found else (None, False)
    config = Config(
        connect_timeout=5,
        read_timeout=15,
        retries={"mode": "standard", "total_max_attempts": 3},
        use_fips_endpoint=fips or None,
    )
    try:
        # AWS's own address for the region, which boto3 knows; place.api is a double's.
        endpoint = None if found else place.api
        client = boto3.client("ecr", region_name=region, endpoint_url=endpoint, config=config)
        return client.batch_delete_image(repositoryName=place.repository, imageIds=[image], **account)
    except ClientError as error:
        raise _translated(error, place) from error
    except BotoCoreError as error:
        raise Unavailable(f"no answer from AWS for {place.name}: {error}", may_pass=False) from error


def _translated(error: Any, place: Place) -> ImagesyncError:
    code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
    if "AccessDenied" in code or "Token" in code or "Signature" in code:
        return Denied(
            f"AWS does not allow to remove a tag from {place.name}: {code}: {message}",
            hint="the role needs ecr:BatchDeleteImage",
        )
    return Refused(f"AWS does not remove a tag from {place.name}: {code}: {message}")
