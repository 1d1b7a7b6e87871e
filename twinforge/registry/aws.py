"""How AWS is reached, and what its errors mean here.

The one module of this room that imports boto3.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    ParamValidationError,
    ProfileNotFound,
    UnknownRegionError,
)

from twinforge.errors import RegistryError, RegistryRefusedError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from twinforge.registry.items import AwsAccess

__all__ = [
    "AlreadyThereError",
    "NotThereError",
    "asking",
    "connect_ecr",
    "connect_sagemaker",
    "partition_of",
]

ATTEMPTS = 8
PASSING = frozenset(
    {
        "InternalFailure",
        "RequestTimeout",
        "ServerException",
        "ServiceUnavailable",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
UNKNOWN_USER = frozenset(
    {
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "UnrecognizedClientException",
    }
)
NOT_THERE = frozenset(
    {
        "LifecyclePolicyNotFoundException",
        "LifecyclePolicyPreviewNotFoundException",
        "RepositoryNotFoundException",
        "RepositoryPolicyNotFoundException",
        "ScanNotFoundException",
    }
)


def connect_ecr(access: AwsAccess, region: str) -> Any:
    """Return boto3's client of ECR in a region."""
    return _connect("ecr", access, region)


def connect_sagemaker(access: AwsAccess, region: str) -> Any:
    """Return boto3's client of SageMaker in a region, to see which images run.

    The address in ``access`` is ECR's; boto3 takes that of SageMaker from AWS_ENDPOINT_URL_SAGEMAKER.
    """
    return _connect("sagemaker", replace(access, endpoint_url=""), region)


def _connect(service: Literal["ecr", "sagemaker"], access: AwsAccess, region: str) -> Any:
    with asking(region, "connecting"):
        session = boto3.session.Session(profile_name=access.profile or None)
        return session.client(
            service,
            region_name=region,
            endpoint_url=access.endpoint_url or None,
            verify=str(access.ca_bundle) if access.ca_bundle else None,
            config=Config(
                retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
                user_agent_extra="twinforge",
            ),
        )


def partition_of(region: str) -> str:
    """Return the partition of a region by botocore's data, which needs no network.

    >>> partition_of("eu-west-1"), partition_of("cn-north-1"), partition_of("us-gov-west-1")
    ('aws', 'aws-cn', 'aws-us-gov')

    Raises:
        RegistryError: There is no such region.
    """
    try:
        partition: str = boto3.session.Session().get_partition_for_region(region)
    except UnknownRegionError as error:
        message = f"'{region}' is no AWS region that botocore knows"
        raise RegistryError(message, hint="see 'aws account list-regions'") from error
    return partition


class NotThereError(Exception):
    """A repository, or what was asked of it, does not exist."""


class AlreadyThereError(Exception):
    """A repository exists already: somebody else was faster."""


@contextmanager
def asking(region: str, what: str, *, gone: Collection[str] = NOT_THERE) -> Iterator[None]:
    """Translate boto3's errors, by code; ``gone`` are those that say that something is not there."""
    try:
        yield
    except ClientError as error:
        told = error.response.get("Error", {})
        code = told.get("Code", "")
        if code in gone:
            raise NotThereError from error
        if code == "RepositoryAlreadyExistsException":
            raise AlreadyThereError from error
        message = f"{what}: AWS in {region} answers {code}: {told.get('Message', '')}"
        if code in PASSING:
            raise RegistryError(message, hint="run it again later") from error
        hint = "see 'aws sts get-caller-identity'" if code in UNKNOWN_USER else ""
        raise RegistryRefusedError(message, hint=hint) from error
    except NoCredentialsError as error:
        message = f"{what}: there are no AWS credentials"
        raise RegistryRefusedError(
            message, hint="run 'aws configure' or 'aws sso login'"
        ) from error
    except (ParamValidationError, ProfileNotFound) as error:
        message = f"{what}: {error}"
        raise RegistryRefusedError(message) from error
    except BotoCoreError as error:
        message = f"{what}: AWS in {region} can't be reached: {error}"
        raise RegistryError(message) from error
