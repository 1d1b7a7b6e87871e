"""``promote``: a release goes from one registry of the matrix to another, by digest."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from twinforge.api.destinations import named_registry, registry_targets, uploads_of
from twinforge.api.gating import gate_for
from twinforge.api.releasing import record_release
from twinforge.api.surroundings import proxy_of
from twinforge.errors import UsageError
from twinforge.model.reference import Digest
from twinforge.model.suggest import known_or_close
from twinforge.registry.items import AwsAccess, PushItem, ReleasedName, Tags
from twinforge.registry.promote import Promotion, promote_to_all
from twinforge.registry.releases import Release, read_release

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twinforge.api.workspace import Workspace
    from twinforge.model.matrix import Registry
    from twinforge.registry.items import Pushed, Target
    from twinforge.registry.releases import ReleasedVariant

__all__ = ["PromoteOptions", "PromotionPlan", "plan_promotion", "promote"]


@dataclass(frozen=True, slots=True)
class PromoteOptions:
    """How to promote.

    Attributes:
        jobs: Blobs that are copied at once.
        source: How AWS is reached where the release comes from.
        target: How AWS is reached where it goes to.
    """

    jobs: int = 3
    source: AwsAccess = field(default_factory=AwsAccess)
    target: AwsAccess = field(default_factory=AwsAccess)


@dataclass(frozen=True, slots=True)
class PromotionPlan:
    """What a promotion does: the released variants, and the repositories by their names in ECR."""

    recipe: str
    version: str
    variants: tuple[ReleasedVariant, ...]
    source: Registry
    target: Registry

    @property
    def from_repository(self) -> str:
        """The repository that has the release."""
        return self.source.repository.format(recipe=self.recipe)

    @property
    def to_repository(self) -> str:
        """The repository that gets it."""
        return self.target.repository.format(recipe=self.recipe)


def plan_promotion(
    workspace: Workspace, recipe: str, *, source: str, target: str, version: str = ""
) -> PromotionPlan:
    """Return what would be promoted; reads the release record and nothing else.

    Args:
        workspace: The project.
        recipe: The recipe.
        source: The name of the registry that has the release.
        target: The name of the registry that gets it.
        version: The version, or empty where only one is recorded.

    Raises:
        UsageError: There is no such recipe, registry or release.
    """
    known = [found.name for found in workspace.project.recipes]
    if recipe not in known:
        message = f"there is no recipe '{recipe}'{known_or_close(recipe, known)}"
        raise UsageError(message)
    origin, goal = named_registry(workspace, source), named_registry(workspace, target)
    if origin.name == goal.name:
        message = f"a release can't be promoted from '{origin.name}' to itself"
        names = ", ".join(one.name for one in workspace.project.matrix.registries)
        raise UsageError(message, hint=f"matrix.yaml names: {names}")
    release = read_release(workspace.root, recipe)
    versions = sorted({variant.version for variant in release.variants}) if release else []
    if release is None or not versions:
        message = f"nothing of the recipe '{recipe}' was released"
        raise UsageError(message, hint=f"push it first: `twinforge push {recipe}`")
    if not version and len(versions) > 1:
        message = f"'{recipe}' is recorded in {len(versions)} versions: {', '.join(versions)}"
        raise UsageError(message, hint="say which one with --tag VERSION")
    wanted = version or versions[0]
    if wanted not in versions:
        message = f"'{recipe}' {wanted} is not in releases/{recipe}.json"
        hint = f"recorded: {', '.join(versions)}; an older one is in the file's history"
        raise UsageError(message, hint=hint)
    variants = tuple(one for one in release.variants if one.version == wanted)
    return PromotionPlan(recipe, wanted, variants, origin, goal)


def promote(
    workspace: Workspace, plan: PromotionPlan, options: PromoteOptions
) -> tuple[Pushed, ...]:
    """Bring the digests of a release to another registry, and record that they are there.

    Raises:
        UsageError: The release is not in the registry that it should come from.
        ContentConflictError: A tag that must not move is taken; nothing was written.
        RegistryError: A registry could not be used.
    """
    tags = Tags(
        tuple(tag for variant in plan.variants for tag in variant.tags),
        tuple(alias for variant in plan.variants for alias in variant.aliases),
        tuple(alias.tag for alias in workspace.project.matrix.aliases),
    )
    sources = registry_targets(
        workspace, plan.source, plan.from_repository, tags, options.source, create=False
    )
    source = _holding(plan, sources)
    targets = registry_targets(workspace, plan.target, plan.to_repository, tags, options.target)
    name = source.repository.name
    promotions = [
        Promotion(
            PushItem(
                ReleasedName(plan.recipe, variant.slug),
                variant.image_id,
                name,
                variant.tags,
                variant.aliases,
            ),
            Digest.parse(variant.digests[name]),
        )
        for variant in plan.variants
    ]
    done = promote_to_all(
        promotions,
        source,
        targets,
        listener=workspace.listener,
        ca_bundle=workspace.ca_bundle,
        proxy=partial(proxy_of, workspace.environ),
        jobs=options.jobs,
        gate=gate_for(workspace, plan.target.name),
        uploads=uploads_of(workspace),
    )
    record_release(workspace, _record(plan, done), plan.target, done)
    return done


def _holding(plan: PromotionPlan, sources: Sequence[Target]) -> Target:
    """Return the first place of the source that has all of the release, as recorded."""
    for source in sources:
        if all(source.repository.name in variant.digests for variant in plan.variants):
            return source
    names = [source.repository.name for source in sources]
    lacking = [variant.slug for variant in plan.variants if not variant.digests.keys() & set(names)]
    what = ", ".join(lacking) or "no place has all variants"
    message = f"{plan.recipe} {plan.version} is not in '{plan.source.name}' as a whole: {what}"
    raise UsageError(message, hint=f"push it there: `twinforge push --to {plan.source.name}`")


def _record(plan: PromotionPlan, done: Sequence[Pushed]) -> Release:
    return Release(
        plan.recipe,
        tuple(
            replace(
                variant,
                digests={
                    **variant.digests,
                    **{one.repository: str(one.digest) for one in done if one.slug == variant.slug},
                },
            )
            for variant in plan.variants
        ),
    )
