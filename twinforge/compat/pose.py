"""From a question to a network: which parts take part, and what was asked of each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from twinforge.compat.asked import (
    is_cudnn,
    is_release,
    matching_builds,
    order_by,
    with_stated_cudnn,
)
from twinforge.compat.bind import (
    bind_base,
    bind_cudnn,
    bind_framework,
    bind_machine,
    bind_unheard,
)
from twinforge.compat.builds import needs_cudnn
from twinforge.compat.domain import (
    Domain,
    Unheard,
    cuda_domain,
    cudnn_domain,
    ground_domain,
    machine_domain,
    plain_domain,
    python_domain,
)
from twinforge.compat.draft import ONE, Draft
from twinforge.compat.grounds import ground_of
from twinforge.compat.machines import Machine
from twinforge.compat.network import ALWAYS, Limit, Network
from twinforge.errors import UnknownError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from twinforge.compat.facts import Fact
    from twinforge.compat.question import Ask, Question, Wanted

__all__ = ["Posed", "framework_label", "instance_label", "pose"]


@dataclass(frozen=True, slots=True)
class Posed:
    """A question as a network.

    ``asks`` are what was asked for, by label. ``tells`` maps every other label to the variable that
    its fact is about, and to how the fact reads for some values of it.
    """

    network: Network
    domains: Mapping[str, Domain]
    frameworks: tuple[str, ...]
    asks: Mapping[str, Ask]
    tells: Mapping[str, tuple[str, Callable[[Sequence[Any]], Fact]]]

    @property
    def labels(self) -> tuple[str, ...]:
        """Everything that can be left out: what was asked for first, then the facts."""
        return (*self.asks, *self.tells)


def framework_label(framework: str) -> str:
    """Return the label of a framework that is asked for."""
    return f"framework:{framework}"


def instance_label(instance: str) -> str:
    """Return the label of an instance type that is asked for."""
    return f"instance:{instance}"


def pose(question: Question) -> Posed:
    """Return the network of a question."""
    draft = Draft(question.places)
    frameworks = list(dict.fromkeys(_add_framework(draft, one) for one in question.frameworks))
    machines = [_add_machine(draft, question, name) for name in dict.fromkeys(question.instances)]
    if question.device:
        text = "an image with CUDA" if question.device == "cuda" else "an image for the CPU"
        draft.ask("device", text)
    causes = tuple(_causes(draft, question, machines))
    if causes:
        draft.add("cuda", "CUDA", cuda_domain(), question.cuda, is_release)
        if question.cudnn or any(_may_need_cudnn(draft, name) for name in frameworks):
            domain = cudnn_domain(free=not question.cudnn)
            builds = tuple(draft.domains[name] for name in frameworks)
            domain = with_stated_cudnn(domain, builds, question.cudnn)
            draft.add("cudnn", "cuDNN", domain, question.cudnn, is_cudnn)
    if question.python or frameworks:
        draft.add("python", "Python", python_domain(), question.python, str.__eq__)
    if question.base:
        _add_base(draft, question.base)
    if question.cpu_arch or frameworks or machines:
        archs = plain_domain("amd64", "arm64")
        draft.add("arch", "the architecture", archs, question.cpu_arch, str.__eq__)
    for name in frameworks:
        bind_framework(draft, name, causes)
    bind_cudnn(draft)
    bind_base(draft, question.today, frameworks, has_own_cudnn=question.has_own_cudnn)
    for label in machines:
        bind_machine(draft, label, causes, frameworks)
    bind_unheard(draft)
    network = Network(
        {**{name: domain.values for name, domain in draft.domains.items()}, ALWAYS: ONE.values},
        tuple(draft.relations),
        draft.limits,
        dict(_follows(draft, frameworks)),
    )
    domains = {**draft.domains, ALWAYS: ONE}
    return Posed(network, domains, tuple(frameworks), draft.asks, draft.tells)


def _add_framework(draft: Draft, wanted: Wanted) -> str:
    framework, domain, mask = matching_builds(wanted)
    label = framework_label(framework)
    text = str(wanted)
    before = draft.limits.get(label)
    if before is not None:  # asked for twice: both have to hold
        domain, mask = draft.domains[framework], mask & before.mask
        text = f"{draft.asks[label].text} and {text}"
        if not mask:
            domain = domain.with_unheard(f"there is no data on {text}")
            mask = 1 << len(domain.values) - 1
    draft.domains[framework] = domain
    draft.limits[label] = Limit(framework, mask)
    draft.ask(label, text)
    return framework


def _add_machine(draft: Draft, question: Question, name: str) -> str:
    use, ami, label = question.use, question.ami, instance_label(name)
    try:
        domain = machine_domain(name, use)
    except UnknownError as error:
        hint = f" ({error.hint})" if error.hint else ""
        domain = Domain(("machine", name, use), (Unheard(f"{error.message}{hint}"),))
    draft.ask(label, name)
    if ami and isinstance(domain.values[0], Machine):
        chosen = [i for i, one in enumerate(domain.values) if one.ami and one.ami.name == ami]
        if not chosen:
            domain = domain.with_unheard(f"there is no data on the AMI version {ami} for {name}")
            chosen = [len(domain.values) - 1]
        draft.limits[f"ami:{name}"] = Limit(label, sum(1 << index for index in chosen))
        draft.ask(f"ami:{name}", f"the AMI version {ami}")
    draft.domains[label] = domain
    return label


def _add_base(draft: Draft, base: str) -> None:
    domain = ground_domain(base)
    asked = next(
        index
        for index, ground in enumerate(domain.values)
        if isinstance(ground, Unheard) or ground.name == base
    )
    draft.domains["base"] = domain
    draft.limits["base"] = Limit("base", 1 << asked)
    draft.ask("base", f"the base {base}")


def _causes(draft: Draft, question: Question, machines: Iterable[str]) -> Iterator[frozenset[str]]:
    """Yield what makes it a question of an image with CUDA, as labels that have to hold."""
    if question.device == "cpu":
        return
    if question.device == "cuda":
        yield frozenset({"device"})
    if question.cuda:
        yield frozenset({"cuda"})
    if question.cudnn:
        yield frozenset({"cudnn"})
    ground = ground_of(question.base) if question.base else None
    if ground is not None and ground.image is not None:
        yield frozenset({"base", "base.cuda"})
    for label in machines:
        machine = draft.domains[label].values[0]
        if isinstance(machine, Machine) and machine.instance.gpu is not None:
            yield frozenset({label, f"{label}.gpu"})


def _may_need_cudnn(draft: Draft, framework: str) -> bool:
    build = draft.domains[framework].values[0]
    return not isinstance(build, Unheard) and needs_cudnn(replace(build, device="cuda"))


def _follows(
    draft: Draft, frameworks: Sequence[str]
) -> Iterator[tuple[str, tuple[str, Callable[[int], Sequence[int]]]]]:
    """Yield how CUDA and cuDNN follow from a framework: what it was built for comes first."""
    for name in frameworks[:1]:
        for other in ("cuda", "cudnn"):
            if other in draft.domains:
                yield other, (name, order_by(draft.domains[name], draft.domains[other], other))
