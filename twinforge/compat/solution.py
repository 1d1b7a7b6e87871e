"""The best combination of a posed question, and what is said of it."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from twinforge.compat.builds import needs_cudnn
from twinforge.compat.domain import Unheard
from twinforge.compat.machines import Machine
from twinforge.compat.question import Choice, Pin
from twinforge.compat.startup import forward_package
from twinforge.compat.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Set as AbstractSet

    from twinforge.compat.facts import Fact
    from twinforge.compat.frameworks import FrameworkBuild
    from twinforge.compat.pose import Posed

__all__ = ["Solved", "pin_of", "solve", "solved"]


@dataclass(frozen=True, slots=True)
class Solved:
    """A combination: values by part, its verdict and what that rests on."""

    values: Mapping[str, Any]
    verdict: Verdict
    choice: Choice
    conditions: tuple[str, ...]
    missing: tuple[str, ...]
    facts: tuple[Fact, ...]


def solve(posed: Posed) -> Solved | None:
    """Return the best combination, or None where there is none."""
    kept = posed.network.labels
    for worst in (Verdict.WORKS, Verdict.CONDITIONAL):
        found = posed.network.first(kept, worst)
        if found is not None:
            return solved(posed, kept, found)
    found = posed.network.fewest_unknown(kept)
    return solved(posed, kept, found) if found is not None else None


def solved(posed: Posed, kept: AbstractSet[str], found: Mapping[str, int]) -> Solved:
    """Return what is said of a solution of the network."""
    verdict = Verdict.WORKS
    conditions: dict[str, None] = {}
    missing: dict[str, None] = {}
    facts: dict[Fact, None] = {}
    for judgement in posed.network.judgements(kept, found):
        verdict = max(verdict, judgement.verdict, key=lambda one: one.rank)
        conditions.update(dict.fromkeys(judgement.conditions))
        if judgement.missing:
            missing[judgement.missing] = None
        facts.update(dict.fromkeys(judgement.facts))
    values = {name: domain.values[found[name]] for name, domain in posed.domains.items()}
    return Solved(
        values, verdict, _choice(posed, values), tuple(conditions), tuple(missing), tuple(facts)
    )


def pin_of(build: FrameworkBuild) -> Pin:
    """Return how a build is installed."""
    package, _, version = build.requirement.partition("==")
    return Pin(build.framework, package, version, build.index)


def _choice(posed: Posed, values: Mapping[str, Any]) -> Choice:
    known = {name: value for name, value in values.items() if not isinstance(value, Unheard)}
    machines = [value for value in known.values() if isinstance(value, Machine)]
    amis = {
        machine.instance.name: machine.ami.name
        for machine in machines
        if machine.ami and "cuda" in posed.domains
    }
    cuda = known.get("cuda")
    package = None
    if cuda and any(machine.is_forward for machine in machines):
        package = forward_package(str(cuda.version))
    return Choice(
        frameworks=tuple(pin_of(known[name]) for name in posed.frameworks if name in known),
        cuda=str(cuda.version) if cuda else "",
        cudnn=str(known["cudnn"]) if "cudnn" in known and _uses_cudnn(posed, known) else "",
        base=known["base"].name if "base" in known else "",
        python=known.get("python", ""),
        cpu_arch=known.get("arch", ""),
        amis=MappingProxyType(amis),
        packages=(package.name,) if package else (),
    )


def _uses_cudnn(posed: Posed, known: Mapping[str, Any]) -> bool:
    builds = (known[name] for name in posed.frameworks if name in known)
    return "cudnn" in posed.asks or any(needs_cudnn(build) for build in builds)
