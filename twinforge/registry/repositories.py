"""ECR's repositories as the matrix wants them: what differs, as the requests that would change it.

A plan reads; applying it sends just its requests. What the matrix does not speak of (and statements
and tags that others made) is left alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from twinforge.errors import RegistryError
from twinforge.events import Event, State
from twinforge.registry.access_policy import normal_policy, render_policy
from twinforge.registry.aws import (
    NotThereError,
    asking,
    connect_ecr,
    connect_sagemaker,
    partition_of,
)
from twinforge.registry.change import (
    Change,
    mutability_text,
    rules_text,
    scanning_text,
    tag_pairs,
)
from twinforge.registry.ecr import (
    describe_repository,
    encryption_of,
    in_regions,
    mutability_of,
)
from twinforge.registry.lifecycle import render_lifecycle
from twinforge.registry.preview import Expiry, preview_lifecycle
from twinforge.registry.running import read_running

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from twinforge.events import Listener
    from twinforge.model.matrix import Registry
    from twinforge.registry.items import AwsAccess

__all__ = ["Change", "RegionPlan", "Wanted", "apply_plan", "plan_regions"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A repository that must be there.

    Attributes:
        name: Its name, without a host.
        filters: Wildcards of the tags that may move; all others never do.
        versions: What the release record names.
        digests: Likewise: manifests that nothing may delete.
    """

    name: str
    filters: tuple[str, ...]
    versions: frozenset[str] = frozenset()
    digests: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class RegionPlan:
    """What differs in a region; ``client`` is the one that will send the requests."""

    region: str
    changes: tuple[Change, ...]
    problems: tuple[str, ...]
    client: Any = field(repr=False)


def plan_regions(
    registry: Registry, wanted: Sequence[Wanted], *, access: AwsAccess
) -> tuple[RegionPlan, ...]:
    """Compare the repositories of all regions with what must be, the regions at the same time.

    Raises:
        RegistryRefusedError: AWS said no.
        RegistryError: AWS could not be used, or something differs that can't be changed.
    """

    def plan(region: str) -> RegionPlan:
        client = connect_ecr(access, region)
        planner = _Planner(client, region, registry, access)
        changes = tuple(change for one in wanted for change in planner.changes(one))
        return RegionPlan(region, changes, tuple(planner.problems), client)

    plans = in_regions(registry.regions, plan)
    problems = [problem for one in plans for problem in one.problems]
    if problems:
        hint = "nothing was changed; what ECR fixes when a repository is made needs a new one"
        raise RegistryError("; ".join(problems), hint=hint)
    return plans


def apply_plan(plans: Sequence[RegionPlan], listener: Listener) -> tuple[Change, ...]:
    """Send the requests of a plan, in order within a region and the regions at the same time.

    Raises:
        RegistryRefusedError: AWS said no.
        RegistryError: AWS could not be used.
    """
    by_region = {plan.region: plan for plan in plans}

    def send(region: str) -> tuple[Change, ...]:
        plan = by_region[region]
        for change in plan.changes:
            with asking(region, f"{change.aspect} of '{change.repository}'"):
                getattr(plan.client, change.operation)(**change.parameters)
            text = f"{change.aspect} in {region}"
            listener(Event("registry", change.repository, State.DONE, text))
        return plan.changes

    return tuple(change for part in in_regions(list(by_region), send) for change in part)


class _Planner:
    """What differs in one region."""

    def __init__(self, client: Any, region: str, registry: Registry, access: AwsAccess) -> None:
        self._access = access
        self._running: dict[str, str] | None = None
        self._client = client
        self._region = region
        self._registry = registry
        self._owner = {"registryId": registry.account} if registry.account else {}
        self.problems: list[str] = []

    def changes(self, wanted: Wanted) -> Iterator[Change]:
        found = describe_repository(self._client, self._region, wanted.name, self._owner)
        if found is None:
            yield self._creation(wanted)
        else:
            self._check_key(found, wanted)
            yield from self._settings(found, wanted)
            yield from self._tags(found, wanted)
        yield from self._policy(wanted, exists=found is not None)
        yield from self._lifecycle(wanted, exists=found is not None)

    def _change(  # noqa: PLR0913, PLR0917 - the parts of a change
        self,
        wanted: Wanted,
        aspect: str,
        before: str,
        after: str,
        operation: str,
        parameters: dict[str, Any],
        note: str = "",
    ) -> Change:
        where = {**self._owner, "repositoryName": wanted.name}
        if operation == "tag_resource":
            where = {}
        return Change(
            self._region,
            wanted.name,
            aspect,
            before,
            after,
            operation,
            {**where, **parameters},
            note,
        )

    def _creation(self, wanted: Wanted) -> Change:
        registry = self._registry
        parameters: dict[str, Any] = {
            "imageScanningConfiguration": {"scanOnPush": registry.scan_on_push},
            **mutability_of(wanted.filters),
            **encryption_of(registry.kms_key),
        }
        if registry.tags:
            parameters["tags"] = tag_pairs(registry.tags)
        after = [mutability_text(parameters), scanning_text(parameters)]
        if registry.kms_key:
            after.append(f"encrypted by KMS with {registry.kms_key}")
        after += [f"{key}={value}" for key, value in sorted((registry.tags or {}).items())]
        return self._change(
            wanted, "repository", "", "\n".join(after), "create_repository", parameters
        )

    def _settings(self, found: Mapping[str, Any], wanted: Wanted) -> Iterator[Change]:
        mutability = mutability_of(wanted.filters)
        before, after = mutability_text(found), mutability_text(mutability)
        if before != after:
            yield self._change(
                wanted, "immutability", before, after, "put_image_tag_mutability", mutability
            )
        scanning = {"imageScanningConfiguration": {"scanOnPush": self._registry.scan_on_push}}
        before, after = scanning_text(found), scanning_text(scanning)
        if before != after:
            yield self._change(
                wanted,
                "scan on push",
                before,
                after,
                "put_image_scanning_configuration",
                scanning,
            )

    def _check_key(self, found: Mapping[str, Any], wanted: Wanted) -> None:
        asked = self._registry.kms_key
        if not asked:
            return
        there = found.get("encryptionConfiguration", {})
        kind, key = there.get("encryptionType", "AES256"), there.get("kmsKey", "")
        # Which key an alias stands for, ECR does not say; that of another form it does.
        by_name = asked == "aws" or "alias/" in asked
        if kind.startswith("KMS") and (by_name or key.endswith(asked.rpartition("/")[2])):
            return
        what = f"by KMS with {key}" if kind.startswith("KMS") else f"with {kind}"
        self.problems.append(
            f"'{wanted.name}' in {self._region} is encrypted {what}, and the matrix wants "
            f"the KMS key '{asked}'"
        )

    def _tags(self, found: Mapping[str, Any], wanted: Wanted) -> Iterator[Change]:
        if not self._registry.tags:
            return
        arn = found["repositoryArn"]
        with asking(self._region, f"ListTagsForResource '{wanted.name}'"):
            answer = self._client.list_tags_for_resource(resourceArn=arn)
        there = {pair["Key"]: pair.get("Value", "") for pair in answer.get("tags", ())}
        new = {key: value for key, value in self._registry.tags.items() if there.get(key) != value}
        if new:
            before = "\n".join(f"{key}={there[key]}" for key in sorted(new) if key in there)
            after = "\n".join(f"{key}={new[key]}" for key in sorted(new))
            parameters = {"resourceArn": arn, "tags": tag_pairs(new)}
            yield self._change(wanted, "tags", before, after, "tag_resource", parameters)

    def _policy(self, wanted: Wanted, *, exists: bool) -> Iterator[Change]:
        access = self._registry.access
        if access is None:
            return
        present = ""
        if exists:
            present = self._read(wanted, "get_repository_policy", "policyText")
        text = render_policy(access, present, partition=partition_of(self._region))
        before, after = normal_policy(present), normal_policy(text)
        if before == after:
            return
        if text:
            parameters = {"policyText": text}
            yield self._change(wanted, "policy", before, after, "set_repository_policy", parameters)
        else:
            yield self._change(wanted, "policy", before, "", "delete_repository_policy", {})

    def _lifecycle(self, wanted: Wanted, *, exists: bool) -> Iterator[Change]:
        if self._registry.lifecycle is None:
            return
        present = ""
        if exists:
            present = self._read(wanted, "get_lifecycle_policy", "lifecyclePolicyText")
        text = render_lifecycle(self._registry.lifecycle, wanted.versions)
        before, after = rules_text(present), rules_text(text)
        if before == after:
            return
        note = ""
        if exists:
            where = {**self._owner, "repositoryName": wanted.name}
            expiring = preview_lifecycle(self._client, self._region, where, text)
            note = self._judge(wanted, expiring)
        parameters = {"lifecyclePolicyText": text}
        yield self._change(
            wanted, "lifecycle", before, after, "put_lifecycle_policy", parameters, note
        )

    def _judge(self, wanted: Wanted, expiring: Collection[Expiry]) -> str:
        if not expiring:
            return "deletes nothing now"
        if self._running is None:
            self._running = read_running(
                connect_sagemaker(self._access, self._region), self._region
            )
        for one in expiring:
            why = "is released" if one.digest in wanted.digests else ""
            if one.digest in self._running:
                why = f"the endpoint '{self._running[one.digest]}' runs"
            if why:
                tags = f" ({', '.join(one.tags)})" if one.tags else ""
                self.problems.append(
                    f"the lifecycle policy of '{wanted.name}' in {self._region} would delete "
                    f"{one.digest}{tags}, which {why}"
                )
        return f"would delete {len(expiring)} of its images now"

    def _read(self, wanted: Wanted, operation: str, key: str) -> str:
        try:
            with asking(self._region, f"{key} of '{wanted.name}'"):
                answer = getattr(self._client, operation)(**self._owner, repositoryName=wanted.name)
        except NotThereError:
            return ""
        return str(answer.get(key, ""))
