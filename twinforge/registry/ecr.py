"""Amazon ECR: repositories made as they must be, and a token for each region.

ECR's data plane is an ordinary registry.

Source: botocore's model ``ecr/2015-09-21``;
https://docs.aws.amazon.com/AmazonECR/latest/userguide/registry_auth.html.
"""

from __future__ import annotations

import base64
import binascii
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from twinforge.errors import RegistryError
from twinforge.events import Event, State
from twinforge.model.reference import Reference
from twinforge.registry.aws import (
    AlreadyThereError,
    NotThereError,
    asking,
    connect_ecr,
)
from twinforge.registry.credentials import Credentials
from twinforge.registry.ecr_scan import read_findings
from twinforge.registry.filters import alias_filters, covers
from twinforge.registry.gather import gather
from twinforge.registry.items import Target

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from twinforge.events import Listener
    from twinforge.model.matrix import Registry
    from twinforge.registry.items import AwsAccess, Tags

__all__ = [
    "describe_repository",
    "encryption_of",
    "ensure_repository",
    "fetch_login",
    "in_regions",
    "mutability_of",
    "prepare_targets",
    "reach_targets",
]


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Login:
    """A token of a region: the registry's host, and who we are there."""

    host: str
    credentials: Credentials


def prepare_targets(
    registry: Registry, repository: str, tags: Tags, *, access: AwsAccess, listener: Listener
) -> tuple[Target, ...]:
    """Return a target for every region, with its repository made where it is missing.

    The regions are asked at the same time.

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

    def prepare(region: str) -> Target:
        client = connect_ecr(access, region)
        target = _target(client, region, registry, repository, access)
        ensure_repository(
            client,
            region,
            repository,
            account=registry.account,
            tags=tags,
            scan_on_push=registry.scan_on_push,
            kms_key=registry.kms_key,
            listener=listener,
        )
        return target

    return in_regions(registry.regions, prepare)


def reach_targets(registry: Registry, repository: str, *, access: AwsAccess) -> tuple[Target, ...]:
    """Return a target for every region, without a look at its repository.

    Raises:
        RegistryRefusedError: AWS said no.
        RegistryError: AWS could not be used.
    """
    return in_regions(
        registry.regions,
        lambda region: _target(connect_ecr(access, region), region, registry, repository, access),
    )


def in_regions(regions: Sequence[str], ask: Callable[[str], T]) -> tuple[T, ...]:
    """Ask all regions at the same time; the first failure in their order is raised."""
    with ThreadPoolExecutor(len(regions), thread_name_prefix="region") as pool:
        return tuple(gather([pool.submit(ask, region) for region in regions]))


def _target(
    client: Any, region: str, registry: Registry, repository: str, access: AwsAccess
) -> Target:
    login = fetch_login(client, region, account=registry.account)
    return Target(
        Reference(login.host, repository),
        login.credentials,
        access.address,
        partial(_renew, client, region),
        partial(read_findings, client, region, registry.account),
    )


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
    with asking(region, "GetAuthorizationToken"):
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
    kms_key: str = "",
) -> None:
    """Make a repository where it is missing; one that is there is checked and left as it is.

    Raises:
        RegistryRefusedError: AWS said no.
        RegistryError: AWS could not be used, or the repository freezes tags that must move.
    """
    owner = {"registryId": account} if account else {}
    filters = alias_filters(tags.aliases, templates=tags.templates, immutable=tags.immutable)
    found = describe_repository(client, region, name, owner)
    if found is None:
        try:
            with asking(region, f"CreateRepository '{name}'"):
                client.create_repository(
                    **owner,
                    repositoryName=name,
                    imageScanningConfiguration={"scanOnPush": scan_on_push},
                    **mutability_of(filters),
                    **encryption_of(kms_key),
                )
        except AlreadyThereError:
            found = describe_repository(client, region, name, owner)
        else:
            text = f"made the repository '{name}' in {region}"
            listener(Event("push", name, State.NOTE, text))
    if found is not None:
        _check(found, region, name, tags, filters, listener)


def mutability_of(filters: Sequence[str]) -> dict[str, Any]:
    """Return ECR's parameters for tags that stay, but for those that filters let move."""
    if not filters:
        return {"imageTagMutability": "IMMUTABLE"}
    return {
        "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
        "imageTagMutabilityExclusionFilters": [
            {"filterType": "WILDCARD", "filter": one} for one in filters
        ],
    }


def encryption_of(kms_key: str) -> dict[str, Any]:
    """Return ECR's parameters for a key; ``aws`` is the one that ECR makes, empty its default."""
    if not kms_key:
        return {}
    key = {} if kms_key == "aws" else {"kmsKey": kms_key}
    return {"encryptionConfiguration": {"encryptionType": "KMS", **key}}


def describe_repository(
    client: Any, region: str, name: str, owner: dict[str, str]
) -> dict[str, Any] | None:
    """Return ECR's description of a repository, or None where there is none."""
    try:
        with asking(region, f"DescribeRepositories '{name}'"):
            answer = client.describe_repositories(**owner, repositoryNames=[name])
    except NotThereError:
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
        f"run `twinforge registry apply`, or aws ecr put-image-tag-mutability --region {region} --repository-name {name} "
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
