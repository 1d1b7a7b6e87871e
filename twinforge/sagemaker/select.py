"""Which image of a release runs on an instance type, and where SageMaker finds it.

Nothing is guessed: what the facts call impossible or do not know is refused with the variant that
is nearest, the reason and what would work; a CPU image never takes a paid accelerator unless it is asked for, and an image must
be in the region where it runs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from twinforge.compat.facts import Dotted, Fact, Use
from twinforge.compat.instances import find_instance
from twinforge.compat.question import Answer, Choice, Question
from twinforge.compat.resolve import resolve
from twinforge.compat.verdict import Verdict
from twinforge.errors import ImpossibleError, UsageError
from twinforge.model.reference import Digest, Reference
from twinforge.sagemaker.refusal import Judged, refusal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from twinforge.compat.instances import InstanceType
    from twinforge.model.matrix import Registry
    from twinforge.registry.releases import Release, ReleasedVariant

__all__ = ["Origin", "Selected", "Wish", "region_of", "select_variant"]

_ECR_HOST = re.compile(
    r"[0-9]{12}\.dkr\.ecr(?:-fips)?\.(?P<region>[a-z0-9-]+)\.(?:amazonaws\.com(?:\.cn)?|on\.aws)"
)


@dataclass(frozen=True, slots=True)
class Wish:
    """What narrows the choice beyond what works; empty fields narrow nothing.

    ``accelerator`` and ``variant`` name one as the release does; a CPU image on an instance with
    an accelerator has to be asked for by either. ``values`` are axis values, such as
    ``{"python": "3.11"}``. ``order`` holds slugs in the order that the matrix declares, for
    variants that work equally well; what it lacks comes after, in the order of the release.
    ``serving`` holds the slugs that the matrix declares for the instance: others are not chosen
    unless ``accelerator`` or ``variant`` names them, and these have to work all the same.
    ``declared`` is all that the matrix declares, as if it were pushed: what of it would work is told
    where nothing that is released does.
    """

    accelerator: str = ""
    variant: str = ""
    values: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    order: tuple[str, ...] = ()
    serving: tuple[str, ...] = ()
    declared: tuple[ReleasedVariant, ...] = ()

    @property
    def is_named(self) -> bool:
        """Whether somebody has named what it shall be."""
        return bool(self.accelerator or self.variant or self.serving)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an image is taken from, of the places that it was pushed to.

    SageMaker runs images of ECR only, so that one elsewhere is taken only if there is no other.

    Attributes:
        region: The AWS region that it has to be in, or empty for any.
        usual_region: The one to prefer if it is in several.
        registry: The registry of the matrix that it has to be in, or None for any.
    """

    region: str = ""
    usual_region: str = ""
    registry: Registry | None = None

    def holds(self, name: Reference, recipe: str) -> bool:
        """Whether a repository is one of this origin's."""
        region, found = region_of(name.host), self.registry
        if self.region not in {"", region}:
            return False
        if found is None:
            return True
        if name.repository != found.repository.format(recipe=recipe):
            return False
        if found.kind == "oci":
            return name.host == found.host
        is_of_account = not found.account or name.host.startswith(f"{found.account}.")
        return region in found.regions and is_of_account

    def prefer(self, places: list[tuple[Reference, Digest]]) -> list[tuple[Reference, Digest]]:
        """Return the best of several places that hold the image."""
        in_ecr = [one for one in places if region_of(one[0].host)]
        usual = [one for one in in_ecr if region_of(one[0].host) == self.usual_region]
        return usual or in_ecr or places

    def __str__(self) -> str:
        region = f"region '{self.region}'" if self.region else ""
        registry = f"registry '{self.registry.name}'" if self.registry else ""
        return " and ".join(filter(None, (region, registry)))


@dataclass(frozen=True, slots=True)
class Selected:
    """The image that was chosen.

    ``reference`` names it by its version tag, ``pinned`` by its digest. ``conditions`` is what
    has to be done or known for it to work, ``ami`` the AMI version to ask for, or empty.
    """

    recipe: str
    variant: str
    instance: str
    use: Use
    reference: Reference
    pinned: Reference
    verdict: Verdict
    conditions: tuple[str, ...]
    reason: str
    ami: str

    def as_json(self) -> dict[str, object]:
        """Return it as ``twinforge select --json`` prints it."""
        return {
            "recipe": self.recipe,
            "variant": self.variant,
            "instance": self.instance,
            "use": self.use,
            "reference": str(self.reference),
            "pinned": str(self.pinned),
            "verdict": self.verdict.value,
            "conditions": list(self.conditions),
            "reason": self.reason,
            "ami": self.ami,
        }


def select_variant(
    release: Release,
    instance: str,
    *,
    use: Use = "hosting",
    origin: Origin | None = None,
    wish: Wish | None = None,
) -> Selected:
    """Choose the best variant that works on an instance type.

    What works as it is goes before what needs a condition, newer CUDA before older, and what is
    equal by both in the declared order.

    Args:
        release: What was pushed.
        instance: The instance type, such as ``ml.m4.xlarge``.
        use: What SageMaker runs the image for.
        origin: Where it is taken from; may be left out when the image is in one place only.
        wish: What narrows the choice.

    Raises:
        UnknownError: There is no data on the instance type, or none that would decide.
        ImpossibleError: No variant works there, or the image is not in that region.
        UsageError: The wish matches no variant, or the place is ambiguous.
    """
    wish = wish or Wish()
    machine = find_instance(instance)
    judged = [_judge(machine, variant, use, wish) for variant in _wished(release, wish)]
    working = list(_working(judged))
    if not working:
        raise refusal(
            release.recipe,
            machine,
            judged,
            cpu_archs={one.cpu_arch for one in release.variants if not one.cuda},
            unpushed=_unpushed(release, machine, use, wish),
        )
    best, answer = min(working, key=lambda pair: _rank(pair[0], pair[1], wish.order))
    name, digest = _place(release.recipe, best, origin or Origin())
    return Selected(
        recipe=release.recipe,
        variant=best.slug,
        instance=instance,
        use=use,
        reference=name.with_tag(_version_tag(best)),
        pinned=name.with_digest(digest),
        verdict=answer.verdict,
        conditions=answer.conditions,
        reason=_reason(machine, best, answer),
        ami=answer.choice.amis.get(instance, "") if answer.choice else "",
    )


def region_of(host: str) -> str:
    """Return the AWS region of an ECR host, or an empty string for another registry.

    >>> region_of("123456789012.dkr.ecr.eu-west-1.amazonaws.com")
    'eu-west-1'
    """
    found = _ECR_HOST.fullmatch(host)
    return found["region"] if found else ""


def slug_part(axis: str, value: str) -> str:
    """Return an axis value as it stands in a slug; a test holds it to :class:`Variant`'s."""
    if axis == "python":
        return f"py{value}"
    return value.replace("-", "") if axis == "os" else value


def _wished(release: Release, wish: Wish) -> tuple[ReleasedVariant, ...]:
    found = tuple(variant for variant in release.variants if _matches(variant, wish))
    if not found:
        known = ", ".join(variant.slug for variant in release.variants) or "none"
        message = f"no released variant of '{release.recipe}' is {_told(wish)}"
        others = ", ".join(one.slug for one in wish.declared if _matches(one, wish))
        push = f"; declared and not pushed: {others}" if others else ""
        raise UsageError(message, hint=f"released variants: {known}{push}")
    if not wish.serving or wish.accelerator or wish.variant:
        return found
    serving = tuple(variant for variant in found if variant.slug in wish.serving)
    if not serving:
        declared = ", ".join(wish.serving)
        message = f"the matrix lets {declared} serve this, and none of it is released"
        raise UsageError(message, hint="push it, or change `serves` in matrix.yaml")
    return serving


def _working(judged: Iterable[Judged]) -> Iterator[tuple[ReleasedVariant, Answer]]:
    for one in judged:
        if one.answer.verdict in {Verdict.WORKS, Verdict.CONDITIONAL}:
            yield one.variant, one.answer


def _unpushed(release: Release, machine: InstanceType, use: Use, wish: Wish) -> tuple[str, ...]:
    """Return what is declared, was not pushed and would work, best first."""
    pushed = {variant.slug for variant in release.variants}
    others = [one for one in wish.declared if one.slug not in pushed and _matches(one, wish)]
    judged = (_judge(machine, variant, use, wish) for variant in others)
    ranked = sorted(_working(judged), key=lambda pair: _rank(pair[0], pair[1], wish.order))
    return tuple(variant.slug for variant, _ in ranked)


def _matches(variant: ReleasedVariant, wish: Wish) -> bool:
    slug = f"-{variant.slug}-"
    return (
        wish.accelerator in {"", variant.accelerator}
        and wish.variant in {"", variant.slug}
        and all(f"-{slug_part(axis, value)}-" in slug for axis, value in wish.values.items())
    )


def _told(wish: Wish) -> str:
    parts = [f"{axis} {value}" for axis, value in wish.values.items()]
    if wish.accelerator:
        parts.append(f"accelerator {wish.accelerator}")
    if wish.variant:
        parts.append(f"'{wish.variant}'")
    return " and ".join(parts) or "there"


def _judge(machine: InstanceType, variant: ReleasedVariant, use: Use, wish: Wish) -> Judged:
    question = Question(
        cuda=variant.cuda,
        cpu_arch=variant.cpu_arch,
        instances=(machine.name,),
        use=use,
        device="cuda" if variant.cuda else "cpu",
    )
    answer = resolve(question, changes=0)
    if answer.verdict is not Verdict.WORKS or variant.cuda or wish.is_named:
        return Judged(variant, question, answer)
    if machine.accelerator == "none":
        return Judged(variant, question, answer)
    text = f"a CPU image would leave the {machine.model} of {machine.name} unused"
    unused = Answer(Verdict.IMPOSSIBLE, conflict=(Fact(text, machine.sources),))
    return Judged(variant, question, unused, is_unused_only=True)


def _rank(
    variant: ReleasedVariant, answer: Answer, order: tuple[str, ...]
) -> tuple[bool, bool, list[int], int]:
    newest_first = [-part for part in Dotted.parse(variant.cuda).parts] if variant.cuda else [0]
    declared = order.index(variant.slug) if variant.slug in order else len(order)
    choice = answer.choice or Choice()
    conditional = answer.verdict is Verdict.CONDITIONAL
    # an AMI version only has to be asked for; a package has to be in the image
    return conditional, bool(choice.packages), newest_first, declared


def _place(recipe: str, variant: ReleasedVariant, origin: Origin) -> tuple[Reference, Digest]:
    places = [
        (Reference.parse(name), Digest.parse(digest)) for name, digest in variant.digests.items()
    ]
    if not places:
        message = f"the variant '{variant.slug}' was not pushed anywhere"
        raise UsageError(message, hint="push it first")
    found = [one for one in places if origin.holds(one[0], recipe)]
    if not found:
        where = _where(places)
        message = f"the variant '{variant.slug}' is not in {origin}; it is in {where}"
        raise ImpossibleError(
            message, hint="SageMaker takes an image only from the region where it runs it"
        )
    best = origin.prefer(found)
    if len(best) > 1:
        message = f"the variant '{variant.slug}' is in several places: {_where(best)}"
        raise UsageError(message, hint="name the one to take it from: --region, or --registry")
    return best[0]


def _where(places: list[tuple[Reference, Digest]]) -> str:
    """Tell places as shortly as they differ: by region, or by the repository's whole name."""
    regions = [region_of(name.host) or name.host for name, _ in places]
    if len(set(regions)) == len(regions):
        return ", ".join(regions)
    return ", ".join(str(name) for name, _ in places)


def _version_tag(variant: ReleasedVariant) -> str:
    """The immutable tag that people read; content tags (``key-...``) are for machines."""
    readable = [tag for tag in variant.tags if not tag.startswith("key-")]
    if not readable:
        message = f"the variant '{variant.slug}' has no version tag"
        raise UsageError(message, hint="push it again")
    return readable[0]


def _reason(machine: InstanceType, variant: ReleasedVariant, answer: Answer) -> str:
    if not variant.cuda:
        kind = machine.model or "no accelerator"
        return f"{machine.name} is {machine.cpu_arch} with {kind}, '{variant.slug}' needs no GPU"
    return f"{machine.name}: {answer.reason}"
