"""The registries of ``matrix.yaml`` as pydantic models: their keys and the form of each value."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from twinforge.model.fields import (
    AccountId,
    ByteSize,
    Day,
    FindingId,
    GroupName,
    Host,
    KmsKey,
    Line,
    Region,
    RepositoryName,
    Sentence,
    Severity,
    TagText,
)
from twinforge.model.part import Part

__all__ = [
    "AccessPart",
    "FindingPart",
    "LifecyclePart",
    "RegistriesPart",
    "RegistryPart",
    "ScanPart",
]


class LifecyclePart(Part):
    """What ECR may delete by itself; never what a release record names."""

    keep_images: int = Field(
        ge=1, le=100_000, description="How many pushed images stay, the newest first."
    )
    untagged_days: int | None = Field(
        default=None, ge=1, le=3650, description="Days that an image without a tag stays."
    )


class AccessPart(Part):
    """Who may pull, beside the account itself; becomes the repository's policy."""

    sagemaker: bool = Field(default=True, description="Whether SageMaker's service may.")
    accounts: tuple[AccountId, ...] = Field(default=(), description="Other AWS accounts that may.")


class FindingPart(Part):
    """A finding of the scan that is accepted for a while."""

    id: FindingId = Field(description="The finding's name, such as CVE-2026-1234.")
    reason: Sentence = Field(description="Why it does no harm here.")
    until: Day = Field(description="The last day that it is accepted, as 2026-12-31.")


class ScanPart(Part):
    """What ECR's scan may find in an image whose aliases move."""

    fail_on: Severity = Field(description="The lowest severity that stops a push.")
    allow: tuple[FindingPart, ...] = Field(default=(), description="Findings that are accepted.")


class RegistryPart(Part):
    """Where images go."""

    kind: Literal["ecr", "oci"] = Field(description="Amazon ECR, or any registry.")
    host: Host | None = Field(default=None, description="The registry's host (oci only).")
    account: AccountId | None = Field(
        default=None, description="The AWS account (ecr only); the caller's if not given."
    )
    regions: tuple[Region, ...] = Field(default=(), description="The AWS regions (ecr only).")
    repository: RepositoryName = Field(
        description="The repository; `{recipe}` stands for the recipe's name."
    )
    scan_on_push: bool | None = Field(
        default=None, description="Whether ECR scans what is pushed (ecr only; true if not given)."
    )
    kms_key: KmsKey | None = Field(
        default=None,
        description="The KMS key that a new repository is encrypted with (ecr only): its ARN, "
        "an alias, or `aws` for the one that ECR makes.",
    )
    lifecycle: LifecyclePart | None = Field(
        default=None, description="What may be deleted (ecr only); nothing if not given."
    )
    tags: dict[TagText, Line] = Field(
        default={}, description="Resource tags of the repositories (ecr only)."
    )
    access: AccessPart | None = Field(
        default=None, description="Who may pull (ecr only); left as it is if not given."
    )
    scan: ScanPart | None = Field(
        default=None, description="What a scan may find (ecr only); anything if not given."
    )
    budget: dict[GroupName, ByteSize] = Field(
        default={},
        description="The compressed size that no image may exceed, by a name for the limit, "
        "such as `serverless: 10 GiB`.",
    )


def _registry_tag(value: Any) -> str:
    named = isinstance(value, dict) and value and "kind" not in value
    # One without its kind is still one registry: its other keys are no mappings.
    if named and all(isinstance(part, dict | RegistryPart) for part in value.values()):
        return "<named>"
    return "<one>"


RegistriesPart = Annotated[
    Annotated[RegistryPart, Tag("<one>")]
    | Annotated[dict[GroupName, RegistryPart], Tag("<named>")],
    Discriminator(_registry_tag),
]
