"""``select``: which released image runs where."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from twinforge.api.destinations import named_registry
from twinforge.compat.instances import instance_types
from twinforge.errors import ImpossibleError, UnknownError, UsageError
from twinforge.events import Event, State
from twinforge.model.rules import applies
from twinforge.model.suggest import known_or_close
from twinforge.registry.releases import ReleasedVariant, read_release
from twinforge.sagemaker.select import Origin, Selected, Wish, select_variant

if TYPE_CHECKING:
    from twinforge.api.workspace import Workspace
    from twinforge.compat.facts import Use
    from twinforge.events import Listener
    from twinforge.model.variant import Variant
    from twinforge.registry.releases import Release

__all__ = ["Offer", "as_released", "check_recipe", "narrow", "select", "select_all", "tell_choice"]

_NOWHERE = "local.invalid"
"""The registry that a variant is said to be in, to be chosen like one that was pushed.

Source: RFC 2606: no host has such a name.
"""


@dataclass(frozen=True, slots=True)
class Offer:
    """What an instance type gets: an image, or ``refusal``, which says why none.

    ``hint`` is what would work there instead.
    """

    instance: str
    family: str
    selected: Selected | None
    refusal: str
    hint: str = ""

    def as_json(self) -> dict[str, object]:
        """Return it as ``twinforge select --all --json`` prints it."""
        if self.selected is not None:
            return self.selected.as_json()
        return {
            "instance": self.instance,
            "variant": None,
            "reason": self.refusal,
            "hint": self.hint,
        }


def select(  # noqa: PLR0913 - what, on what, for what and where, all by keyword
    workspace: Workspace,
    recipe: str,
    instance: str,
    *,
    use: Use = "hosting",
    region: str = "",
    registry: str = "",
    wish: Wish | None = None,
) -> Selected:
    """Return the released image of a recipe for an instance type.

    What the matrix says under ``serves`` goes before what would be chosen otherwise, and the
    configured region before others that the image is in.

    Args:
        workspace: The project.
        recipe: The recipe's name.
        instance: The instance type.
        use: What SageMaker runs the image for.
        region: The AWS region that it has to be in, or empty.
        registry: The registry of the matrix that it has to be in, by name, or empty.
        wish: What narrows the choice.

    Raises:
        UsageError: Nothing of the recipe was released, or it is in several places.
        UnknownError: There is no data on the instance type.
        ImpossibleError: Nothing that was released works there, or it is not in that place.
    """
    origin = Origin(
        region,
        workspace.environ.get("AWS_REGION") or workspace.environ.get("AWS_DEFAULT_REGION") or "",
        named_registry(workspace, registry) if registry else None,
    )
    narrowed = narrow(workspace, recipe, instance, use=use, wish=wish or Wish())
    with workspace.own_data():
        return select_variant(
            _release(workspace, recipe), instance, use=use, origin=origin, wish=narrowed
        )


def narrow(workspace: Workspace, recipe: str, instance: str, *, use: Use, wish: Wish) -> Wish:
    """Add to a wish what the matrix declares: its variants, and what it says under ``serves``."""
    variants = [v for v in workspace.project.variants if v.recipe == recipe]
    serving = [
        rule
        for rule in workspace.project.matrix.serves
        if (rule.instance, rule.use) == (instance, use)
    ]
    return replace(
        wish,
        order=tuple(variant.slug for variant in variants),
        serving=tuple(v.slug for v in variants for rule in serving if applies(rule, v.words)),
        declared=tuple(map(as_released, variants)),
    )


def as_released(variant: Variant) -> ReleasedVariant:
    """Write a variant down as if it had been pushed, which is what can be chosen from."""
    digest = "sha256:" + "0" * 64
    return ReleasedVariant(
        slug=variant.slug,
        version=variant.version,
        accelerator=variant.accelerator.name,
        cuda=variant.accelerator.cuda,
        cpu_arch=variant.cpu_arch,
        key="",
        image_id="",
        tags=(variant.tag,),
        aliases=(),
        digests={f"{_NOWHERE}/{variant.recipe}": digest},
    )


def select_all(  # noqa: PLR0913 - as ``select``
    workspace: Workspace,
    recipe: str,
    *,
    use: Use = "hosting",
    region: str = "",
    registry: str = "",
    wish: Wish | None = None,
) -> tuple[Offer, ...]:
    """Choose for every instance type that SageMaker has for a use, in the order of the data.

    Raises:
        UsageError: As ``select``.
    """
    with workspace.own_data():
        machines = [one for one in instance_types().values() if use in one.uses]
    offers = []
    for machine in machines:
        try:
            chosen = select(
                *(workspace, recipe, machine.name),
                use=use,
                region=region,
                registry=registry,
                wish=wish,
            )
        except (ImpossibleError, UnknownError) as error:
            offers.append(Offer(machine.name, machine.family, None, error.message, error.hint))
        else:
            offers.append(Offer(machine.name, machine.family, chosen, ""))
    return tuple(offers)


def tell_choice(chosen: Selected, listener: Listener) -> None:
    """Tell which image was chosen for an instance type, why, and what has to hold for it to work."""
    text = "\n".join([f"{chosen.variant}: {chosen.reason}", *chosen.conditions])
    listener(Event("select", chosen.instance, State.NOTE, text))


def check_recipe(workspace: Workspace, recipe: str) -> None:
    """Refuse a recipe that the project does not have.

    Raises:
        UsageError: It has none of that name.
    """
    known = [found.name for found in workspace.project.recipes]
    if recipe not in known:
        message = f"there is no recipe '{recipe}'{known_or_close(recipe, known)}"
        raise UsageError(message)


def _release(workspace: Workspace, recipe: str) -> Release:
    check_recipe(workspace, recipe)
    release = read_release(workspace.root, recipe)
    if release is None:
        message = f"nothing of the recipe '{recipe}' was released"
        raise UsageError(message, hint=f"push it first: `twinforge push {recipe}`")
    return release
