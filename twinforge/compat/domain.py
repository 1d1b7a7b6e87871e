"""The values that each part of a question can have, and the judged pairs of two parts, kept.

Domains are told apart by their keys, so that questions that share one share its judgements too.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from packaging.version import Version

from twinforge.compat.active import per_project
from twinforge.compat.cuda import cuda_releases
from twinforge.compat.cudnn_builds import cudnn_builds
from twinforge.compat.facts import Dotted
from twinforge.compat.frameworks import PYTHONS, framework_builds
from twinforge.compat.grounds import ground_of, grounds_like
from twinforge.compat.instances import find_instance
from twinforge.compat.machines import machines_of
from twinforge.compat.network import Table
from twinforge.compat.verdict import Judgement

if TYPE_CHECKING:
    from collections.abc import Callable

    from twinforge.compat.facts import Use
    from twinforge.compat.grounds import Ground

__all__ = [
    "UNSAID",
    "Domain",
    "Unheard",
    "build_domain",
    "cuda_domain",
    "cudnn_domain",
    "ground_domain",
    "machine_domain",
    "plain_domain",
    "python_domain",
    "table_of",
]


@dataclass(frozen=True, slots=True)
class Unheard:
    """A value that was asked for and that there is no data on: nothing is known of it."""

    what: str

    @property
    def missing(self) -> str:
        """The datum that is missing."""
        return self.what


UNSAID = Unheard("which cuDNN it uses")
"""A cuDNN that was not asked for, of a build that does not say which one it was made for."""


@dataclass(frozen=True, slots=True)
class Domain:
    """Values of one part of a question, best first."""

    key: tuple[str, ...]
    values: tuple[Any, ...] = field(compare=False)

    def with_unheard(self, what: str) -> Domain:
        """Return it with one value more that nothing is known of."""
        return Domain((*self.key, "unheard", what), (*self.values, Unheard(what)))


@per_project
def build_domain(framework: str) -> Domain:
    """Return the builds of a framework: newest first, then those of the default index.

    Raises:
        UnknownError: There is no data on it.
    """
    builds = sorted(
        framework_builds(framework),
        key=lambda build: (
            Version(build.version),
            not build.index,
            build.package == framework,
            bool(build.extras),
            build.cuda.parts if build.cuda else (),
        ),
        reverse=True,
    )
    return Domain(("builds", framework), tuple(builds))


@per_project
def cuda_domain() -> Domain:
    """Return the CUDA releases, newest first."""
    return Domain(("cuda",), tuple(reversed(tuple(cuda_releases().values()))))


@per_project
def cudnn_domain(*, free: bool) -> Domain:
    """Return the builds of cuDNN, newest first; ``free`` adds that nothing is said of it."""
    if free:
        return Domain(("cudnn", "free"), (*cudnn_builds(), UNSAID))
    return Domain(("cudnn",), cudnn_builds())


@per_project
def ground_domain(base: str) -> Domain:
    """Return a base and what could be taken instead of it."""
    ground = ground_of(base)
    if ground is None:
        unheard = Unheard(f"there is no data on the base {base}")
        return Domain(("base", base), (*reversed(grounds_like(base)), unheard))
    # in the order of releases, so that what stands beside it is what is nearest
    known = [other for other in grounds_like(base) if _key(other) != _key(ground)]
    found = sorted((*known, ground), key=_key)
    return Domain(("base", base), tuple(found))


@per_project
def python_domain() -> Domain:
    """Return the Pythons that the data speaks of, newest first."""
    return Domain(("python",), tuple(reversed(PYTHONS)))


@per_project
def machine_domain(instance: str, use: Use) -> Domain:
    """Return the hosts of an instance type, the default one first.

    Raises:
        UnknownError: There is no data on it.
    """
    return Domain(("machine", instance, use), machines_of(find_instance(instance), use))


@per_project
def plain_domain(*values: str) -> Domain:
    """Return a domain of words."""
    return Domain(("plain", *values), values)


@per_project
def table_of(judge: Callable[[Any, Any], Judgement], left: Domain, right: Domain) -> Table:
    """Return the judgements of two domains; of what nothing is known, nothing is judged."""

    def judged(one: Any, other: Any) -> Judgement:
        for value in (one, other):
            if isinstance(value, Unheard) and value is not UNSAID:
                return Judgement.unknown(value.missing)
        return judge(one, other)

    return Table(left.values, right.values, judged)


def _key(ground: Ground) -> tuple[str, tuple[int, ...], tuple[int, ...]]:
    distribution, _, release = ground.system.partition("-")
    cuda = ground.image.cuda.parts if ground.image else ()
    return distribution, cuda, Dotted.parse(release).parts if release else ()
