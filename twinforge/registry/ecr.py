"""Amazon ECR: repositories made as they must be, and a token for each region.

The one module of this room that imports boto3. ECR's data plane is an ordinary registry.

Source: botocore's model ``ecr/2015-09-21``;
https://docs.aws.amazon.com/AmazonECR/latest/userguide/registry_auth.html.
"""

from __future__ import annotations

import base64
import binascii
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    ParamValidationError,
    ProfileNotFound,
)

from twinforge.errors import RegistryError, RegistryRefusedError
from twinforge.events import Event, State
from twinforge.model.reference import Reference
from twinforge.registry.credentials import Credentials
from twinforge.registry.filters import alias_filters, covers
from twinforge.registry.items import Target

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from twinforge.events import Listener
    from twinforge.model.matrix import Registry

__all__ = ["AwsAccess", "Tags", "ensure_repository", "fetch_login", "prepare_targets"]

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


@dataclass(frozen=True, slots=True)
class AwsAccess:
    """How AWS is reached.

    Attributes:
        profile: A profile of AWS's configuration, or empty for boto3's own order.
        endpoint_url: Where ECR's control plane is, or empty for AWS.
        address: Host and port of the data plane, or empty for the repository's host.
        ca_bundle: Certificates to trust instead of boto3's.
    """

    profile: str = ""
    endpoint_url: str = ""
    address: str = ""
    ca_bundle: Path | None = None


@dataclass(frozen=True, slots=True)
class Tags:
    """The tags of a push: those that never move, those that may, and what the latter come from."""

    immutable: tuple[str, ...]
    aliases: tuple[str, ...]
    templates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Login:
    """A token of a region: the registry's host, and who we are there."""

    host: str
    credentials: Credentials


def prepare_targets(
    registry: Registry, repository: str, tags: Tags, *, access: AwsAccess, listener: Listener
) -> tuple[Target, ...]:
    """Return a target for every region, with its repository made where it is missing.

    Args:
        registry: What ``matrix.yaml`` says.
        repository: The repository's name, without fields.
        tags: What will be pushed to it.
        access: How AWS is reached.
        listener: Told of what was made, and of repositories whose tags can all move.

    Raises:
        RegistryRefusedError: AWS said no.
        RegistryError: AWS could not be used, or a repository freezes tags that must move.
    """
    targets: list[Target] = []
    for region in registry.regions:
        with _asking(region, "connecting"):
            session = boto3.session.Session(profile_name=access.profile or None)
            client = session.client(
                "ecr",
                region_name=region,
                endpoint_url=access.endpoint_url or None,
                verify=str(access.ca_bundle) if access.ca_bundle else None,
                config=Config(
                    retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
                    user_agent_extra="twinforge",
                ),
            )
        login = fetch_login(client, region, account=registry.account)
        ensure_repository(
            client,
            region,
            repository,
            account=registry.account,
            tags=tags,
            scan_on_push=registry.scan_on_push,
            listener=listener,
        )
        name = Reference(login.host, repository)
        renew = partial(_renew, client, region)
        targets.append(Target(name, login.credentials, access.address, renew))
    return tuple(targets)


def fetch_login(client: Any, region: str, *, account: str = "") -> Login:
    """Return a token for a region's registries, and the host of the one of ``account``.

    The token counts for every registry that we may use in the region, for twelve hours.

    Args:
        client: boto3's client of ECR.
        region: For messages.
        account: Twelve digits, or empty for our own.

    Raises:
        RegistryRefusedError: AWS said no.
        RegistryError: AWS could not be used.
    """
    with _asking(region, "GetAuthorizationToken"):
        answer = client.get_authorization_token()
    try:
        (found, *_) = answer["authorizationData"]
        # The password may hold a colon: only the first one separates.
        username, password = (
            base64.b64decode(found["authorizationToken"], validate=True).decode().split(":", 1)
        )
        host = urlsplit(found["proxyEndpoint"]).netloc
    except (KeyError, ValueError, binascii.Error, UnicodeDecodeError):
        # "from None": the answer holds the token.
        message = f"ECR in {region} did not answer with a token"
        raise RegistryError(message) from None
    ours, dot, rest = host.partition(".")
    if account and ours != account:
        host = f"{account}{dot}{rest}"
    return Login(host, Credentials(username, password))


def _renew(client: Any, region: str) -> Credentials:
    return fetch_login(client, region).credentials


def ensure_repository(  # noqa: PLR0913 - what a repository must be, all by keyword
    client: Any,
    region: str,
    name: str,
    *,
    account: str,
    tags: Tags,
    scan_on_push: bool,
    listener: Listener,
) -> None:
    """Make a repository where it is missing; one that is there is checked and left as it is.

    Raises:
        RegistryRefusedError: AWS said no.
        RegistryError: AWS could not be used, or the repository freezes tags that must move.
    """
    owner = {"registryId": account} if account else {}
    filters = alias_filters(tags.aliases, templates=tags.templates, immutable=tags.immutable)
    found = _describe(client, region, name, owner)
    if found is None:
        mutability: dict[str, Any] = {"imageTagMutability": "IMMUTABLE"}
        if filters:
            mutability = {
                "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
                "imageTagMutabilityExclusionFilters": [
                    {"filterType": "WILDCARD", "filter": one} for one in filters
                ],
            }
        try:
            with _asking(region, f"CreateRepository '{name}'"):
                client.create_repository(
                    **owner,
                    repositoryName=name,
                    imageScanningConfiguration={"scanOnPush": scan_on_push},
                    **mutability,
                )
        except _AlreadyThereError:
            found = _describe(client, region, name, owner)
        else:
            text = f"made the repository '{name}' in {region}"
            listener(Event("push", name, State.NOTE, text))
    if found is not None:
        _check(found, region, name, tags, filters, listener)


def _describe(client: Any, region: str, name: str, owner: dict[str, str]) -> dict[str, Any] | None:
    try:
        with _asking(region, f"DescribeRepositories '{name}'"):
            answer = client.describe_repositories(**owner, repositoryNames=[name])
    except _NotThereError:
        return None
    repository: dict[str, Any] = answer["repositories"][0]
    return repository


def _check(  # noqa: PLR0913, PLR0917 - one question with all that it needs
    found: dict[str, Any],
    region: str,
    name: str,
    tags: Tags,
    filters: Sequence[str],
    listener: Listener,
) -> None:
    mutability = found.get("imageTagMutability", "MUTABLE")
    named = tuple(one["filter"] for one in found.get("imageTagMutabilityExclusionFilters", ()))
    if mutability.startswith("IMMUTABLE"):
        frozen = [alias for alias in tags.aliases if not covers(named, alias)]
        loose = [tag for tag in tags.immutable if covers(named, tag)]
    else:
        frozen = [alias for alias in tags.aliases if covers(named, alias)]
        loose = [tag for tag in tags.immutable if not covers(named, tag)]
    wanted = " ".join(f"filterType=WILDCARD,filter={one}" for one in filters)
    remedy = (
        f"aws ecr put-image-tag-mutability --region {region} --repository-name {name} "
        f"--image-tag-mutability IMMUTABLE_WITH_EXCLUSION "
        f"--image-tag-mutability-exclusion-filters {wanted}"
    )
    if frozen:
        message = (
            f"the repository '{name}' in {region} is {mutability}, so that the alias "
            f"'{frozen[0]}' could never move"
        )
        raise RegistryError(message, hint=remedy)
    if loose:
        text = f"'{name}' in {region} is {mutability}: '{loose[0]}' can be overwritten ({remedy})"
        listener(Event("push", name, State.NOTE, text))


class _NotThereError(Exception):
    """A repository does not exist."""


class _AlreadyThereError(Exception):
    """A repository exists already: somebody else was faster."""


@contextmanager
def _asking(region: str, what: str) -> Iterator[None]:
    """Translate boto3's errors, by code."""
    try:
        yield
    except ClientError as error:
        told = error.response.get("Error", {})
        code = told.get("Code", "")
        if code == "RepositoryNotFoundException":
            raise _NotThereError from error
        if code == "RepositoryAlreadyExistsException":
            raise _AlreadyThereError from error
        message = f"{what}: ECR in {region} answers {code}: {told.get('Message', '')}"
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
        message = f"{what}: ECR in {region} can't be reached: {error}"
        raise RegistryError(message) from error
