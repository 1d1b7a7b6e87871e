"""From a question to a network: which parts take part, what was asked of each, what binds them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from twinforge.compat import builds as judge_builds
from twinforge.compat import machines as judge_machines
from twinforge.compat.cudnn_builds import (
    CudnnBuild,
    judge_cudnn_cuda,
    judge_cudnn_on,
    tell_cudnn_cuda,
    tell_cudnn_gpus,
)
from twinforge.compat.domain import (
    UNSAID,
    Domain,
    Unheard,
    build_domain,
    cuda_domain,
    cudnn_domain,
    ground_domain,
    machine_domain,
    plain_domain,
    python_domain,
    table_of,
)
from twinforge.compat.facts import Fact
from twinforge.compat.frameworks import framework_names, framework_of
from twinforge.compat.grounds import Ground, gate_of, ground_of, judge_ground_cuda, judge_tag
from twinforge.compat.network import ALWAYS, Limit, Network, Relation
from twinforge.compat.question import Ask
from twinforge.compat.tell import tell_builds, tell_capabilities, tell_drivers
from twinforge.compat.verdict import FINE, Judgement, Verdict
from twinforge.errors import UnknownError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import date

    from twinforge.compat.frameworks import FrameworkBuild
    from twinforge.compat.machines import Machine
    from twinforge.compat.question import Question, Wanted

__all__ = ["Posed", "framework_label", "instance_label", "pose"]

_ONE = Domain((ALWAYS,), (ALWAYS,))
_NO = Judgement(Verdict.IMPOSSIBLE)


@dataclass(frozen=True, slots=True)
class Posed:
    """A question as a network.

    ``asks`` are what was asked for, by label. ``tells`` maps every other label to the variable that
    its fact is about, and to how the fact reads for some values of it.
    """

    network: Network
    domains: dict[str, Domain]
    frameworks: tuple[str, ...]
    asks: dict[str, Ask]
    tells: dict[str, tuple[str, Callable[[Sequence[Any]], Fact]]]

    @property
    def labels(self) -> tuple[str, ...]:
        """Everything that can be left out: what was asked for first, then the facts."""
        return (*self.asks, *self.tells)


def pose(question: Question) -> Posed:
    """Return the network of a question."""
    return _Posing(question).run()


def framework_label(framework: str) -> str:
    """Return the label of a framework that is asked for."""
    return f"framework:{framework}"


def instance_label(instance: str) -> str:
    """Return the label of an instance type that is asked for."""
    return f"instance:{instance}"


@dataclass(slots=True)
class _Posing:
    question: Question
    domains: dict[str, Domain] = field(default_factory=dict)
    limits: dict[str, Limit] = field(default_factory=dict)
    relations: list[Relation] = field(default_factory=list)
    asks: dict[str, Ask] = field(default_factory=dict)
    tells: dict[str, tuple[str, Callable[[Sequence[Any]], Fact]]] = field(default_factory=dict)

    def run(self) -> Posed:
        question = self.question
        frameworks = [name for wanted in question.frameworks for name in [self._framework(wanted)]]
        machines = [self._machine(name) for name in question.instances]
        causes = tuple(self._causes(machines))
        if causes:
            self._cuda()
            self._cudnn(frameworks)
        if question.python or frameworks:
            self._python()
        if question.base:
            self._base()
        if question.cpu_arch or frameworks or machines:
            self._arch()
        if question.device:
            text = "an image with CUDA" if question.device == "cuda" else "an image for the CPU"
            self._ask("device", text)
        for framework in frameworks:
            self._bind_framework(framework, causes)
        self._bind_cudnn()
        for machine in machines:
            self._bind_machine(machine, causes, frameworks)
        self._bind_unheard()
        self.domains[ALWAYS] = _ONE
        network = Network(
            {name: domain.values for name, domain in self.domains.items()},
            tuple(self.relations),
            self.limits,
            dict(self._follows(frameworks)),
        )
        return Posed(network, self.domains, tuple(frameworks), self.asks, self.tells)

    # what takes part

    def _framework(self, wanted: Wanted) -> str:
        framework, domain, mask = _matching(wanted)
        label = framework_label(framework)
        self.domains[framework] = domain
        self.limits[label] = Limit(framework, mask)
        self._ask(label, str(wanted))
        return framework

    def _machine(self, name: str) -> str:
        use = self.question.use
        label = instance_label(name)
        try:
            domain = machine_domain(name, use)
        except UnknownError as error:
            hint = f" ({error.hint})" if error.hint else ""
            domain = Domain(("machine", name, use), (Unheard(f"{error.message}{hint}"),))
        self.domains[label] = domain
        self._ask(label, name)
        ami = self.question.ami
        if ami and isinstance(domain.values[0], judge_machines.Machine):
            mask = sum(
                1 << index
                for index, machine in enumerate(domain.values)
                if machine.ami and machine.ami.name == ami
            )
            self.limits[f"ami:{name}"] = Limit(label, mask)
            self._ask(f"ami:{name}", f"the AMI version {ami}")
        return label

    def _causes(self, machines: Iterable[str]) -> Iterator[frozenset[str]]:
        """Yield what makes it a question of an image with CUDA, as labels that have to hold."""
        question = self.question
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
            machine = self.domains[label].values[0]
            if isinstance(machine, judge_machines.Machine) and machine.instance.gpu is not None:
                yield frozenset({label, f"{label}.gpu"})

    def _cuda(self) -> None:
        self._version("cuda", "CUDA", cuda_domain(), self.question.cuda, _is_release)

    def _cudnn(self, frameworks: Sequence[str]) -> None:
        asked = self.question.cudnn
        if asked or any(self._may_need_cudnn(name) for name in frameworks):
            self._version("cudnn", "cuDNN", cudnn_domain(free=not asked), asked, _is_cudnn)

    def _may_need_cudnn(self, framework: str) -> bool:
        build = self.domains[framework].values[0]
        return not isinstance(build, Unheard) and judge_builds.needs_cudnn(
            replace(build, device="cuda")
        )

    def _python(self) -> None:
        self._version("python", "Python", python_domain(), self.question.python, str.__eq__)

    def _base(self) -> None:
        base = self.question.base
        domain = ground_domain(base)
        chosen = [
            index
            for index, ground in enumerate(domain.values)
            if isinstance(ground, Unheard) or ground.name == base
        ]
        self.domains["base"] = domain
        self.limits["base"] = Limit("base", 1 << chosen[-1])
        self._ask("base", f"the base {base}")
        ground = domain.values[chosen[-1]]
        if isinstance(ground, Unheard):
            return
        self._relate({"base.tag"}, "base", ALWAYS, _tag_judge(self.question.today))
        self._tell("base.tag", "base", _tell_tag)
        if "cuda" in self.domains and ground.image is not None:
            self._relate({"base.cuda"}, "base", "cuda", judge_ground_cuda)
            self._tell("base.cuda", "base", _tell_ground_cuda)

    def _arch(self) -> None:
        domain = plain_domain("amd64", "arm64")
        self._version("arch", "the architecture", domain, self.question.cpu_arch, str.__eq__)

    def _version(
        self, name: str, what: str, domain: Domain, asked: str, matches: Callable[[Any, str], bool]
    ) -> None:
        """Add a part with its values, and limit it to those that match what was asked for."""
        if asked:
            chosen = [i for i, value in enumerate(domain.values) if matches(value, asked)]
            if not chosen:
                domain = domain.with_unheard(f"there is no data on {what} {asked}")
                chosen = [len(domain.values) - 1]
            self.limits[name] = Limit(name, sum(1 << index for index in chosen))
            self._ask(name, f"{what} {asked}")
        self.domains[name] = domain

    # what binds them

    def _bind_framework(self, name: str, causes: Sequence[frozenset[str]]) -> None:
        device = "cuda" if causes else "cpu" if self._is_for_cpu() else ""
        if device:
            judge = _is_cuda if device == "cuda" else _is_cpu
            for cause in causes or [self._cpu_cause()]:
                self._relate(cause, name, ALWAYS, judge)
        for field_name, other, judge in (
            ("pythons", "python", judge_builds.judge_python),
            ("cuda", "cuda", judge_builds.judge_cuda),
            ("cudnn", "cudnn", _judge_cudnn),
            ("cpu_archs", "arch", judge_builds.judge_cpu_arch),
        ):
            if other in self.domains:
                self._relate({f"{name}.{field_name}"}, name, other, judge)
                self._tell(
                    f"{name}.{field_name}",
                    name,
                    lambda builds, field_name=field_name: tell_builds(builds, field_name),
                )

        if "base" in self.domains:
            self._relate({f"{name}.glibc", "base.glibc"}, name, "base", _judge_glibc)
            self._tell(f"{name}.glibc", name, lambda builds: tell_builds(builds, "glibc"))
            self._tell("base.glibc", "base", _tell_glibc)

    def _bind_cudnn(self) -> None:
        if "cudnn" in self.domains:
            self._relate({"cudnn.cuda"}, "cudnn", "cuda", _judge_cudnn_cuda)
            self._tell("cudnn.cuda", "cudnn", tell_cudnn_cuda)

    def _bind_machine(
        self, label: str, causes: Sequence[frozenset[str]], frameworks: Sequence[str]
    ) -> None:
        machine = self.domains[label].values[0]
        if isinstance(machine, Unheard):
            return
        self._relate({label, f"{label}.use"}, label, ALWAYS, _of_one(judge_machines.judge_use))
        self._tell(f"{label}.use", label, _tell_use)
        self._relate({label, f"{label}.arch"}, label, "arch", judge_machines.judge_arch)
        self._tell(f"{label}.arch", label, _tell_arch)
        for cause in causes:
            kept = {label, f"{label}.gpu", *cause}
            self._relate(kept, label, ALWAYS, _of_one(judge_machines.judge_gpu))
        if causes or machine.instance.gpu:
            self._tell(f"{label}.gpu", label, _tell_gpu)
        if not causes or machine.instance.gpu is None:
            return
        code = {label, f"{label}.gpu"}
        self._relate({*code, "cuda.code"}, label, "cuda", judge_machines.judge_release)
        self._tell("cuda.code", "cuda", tell_capabilities)
        self._relate(
            {label, f"{label}.driver", "cuda.driver"}, label, "cuda", judge_machines.judge_driver
        )
        self._tell(f"{label}.driver", label, _tell_driver)
        self._tell("cuda.driver", "cuda", tell_drivers)
        if "cudnn" in self.domains:
            self._relate({*code, "cudnn.code"}, label, "cudnn", _judge_cudnn_on)
            self._tell("cudnn.code", "cudnn", tell_cudnn_gpus)
        ground = self.domains["base"].values if "base" in self.domains else ()
        if any(isinstance(one, Ground) and one.image for one in ground):
            kept = {label, f"{label}.driver", "base.start"}
            self._relate(kept, label, "base", _judge_start)
            self._tell("base.start", "base", _tell_start)
        for name in frameworks:
            self._relate({*code, f"{name}.code"}, label, name, judge_builds.judge_build_on)
            self._tell(f"{name}.code", name, lambda builds: tell_builds(builds, "code"))

    def _bind_unheard(self) -> None:
        """Say of what nothing is known that it is not known, whatever else is asked."""
        for name, domain in list(self.domains.items()):
            if any(isinstance(value, Unheard) for value in domain.values):
                self._relate((), name, ALWAYS, _fine)

    def _follows(
        self, frameworks: Sequence[str]
    ) -> Iterator[tuple[str, tuple[str, Callable[[int], Sequence[int]]]]]:
        """Yield how CUDA and cuDNN follow from a framework: what it was built for comes first."""
        for name in frameworks[:1]:
            if "cuda" in self.domains:
                yield "cuda", (name, _ordered(self.domains[name], self.domains["cuda"], "cuda"))
            if "cudnn" in self.domains:
                yield "cudnn", (name, _ordered(self.domains[name], self.domains["cudnn"], "cudnn"))

    def _is_for_cpu(self) -> bool:
        return self.question.device == "cpu" or bool(self.question.instances)

    def _cpu_cause(self) -> frozenset[str]:
        return frozenset({"device"} if self.question.device == "cpu" else ())

    def _ask(self, label: str, text: str) -> None:
        self.asks[label] = Ask(label, text, self.question.places.get(label, ""))

    def _tell(self, label: str, variable: str, tell: Callable[[Sequence[Any]], Fact]) -> None:
        self.tells.setdefault(label, (variable, tell))

    def _relate(
        self,
        labels: Iterable[str],
        left: str,
        right: str,
        judge: Callable[[Any, Any], Judgement],
    ) -> None:
        one, other = self.domains[left], _ONE if right == ALWAYS else self.domains[right]
        self.relations.append(Relation(frozenset(labels), left, right, table_of(judge, one, other)))


@cache
def _matching(wanted: Wanted) -> tuple[str, Domain, int]:
    """Return a framework, its builds, and which of them are wanted."""
    requirement = Requirement(wanted.name)
    package = canonicalize_name(requirement.name)
    framework = framework_of(package) or package
    specifiers = SpecifierSet(wanted.specifier, prereleases=True)
    try:
        domain = build_domain(framework)
    except UnknownError as error:
        return framework, Domain(("builds", framework), (Unheard(error.message),)), 1
    framework = domain.values[0].framework
    is_package = wanted.exact or package not in framework_names() or bool(requirement.extras)
    mask = sum(
        1 << index
        for index, build in enumerate(domain.values)
        if specifiers.contains(_full_version(build))
        and (build.package == package or not is_package)
        and requirement.extras <= set(build.extras)
    )
    if not mask:
        domain = domain.with_unheard(f"there is no data on {wanted}")
        mask = 1 << len(domain.values) - 1
    return framework, domain, mask


def _full_version(build: FrameworkBuild) -> Version:
    return Version(f"{build.version}+{build.local}" if build.local else build.version)


def _is_release(release: Any, asked: str) -> bool:
    numbers = asked.split(".")
    if not all(part.isdecimal() for part in numbers):
        return False
    parts = tuple(int(part) for part in numbers)[:2]
    return bool(release.version.parts[: len(parts)] == parts)


def _ordered(builds: Domain, domain: Domain, field_name: str) -> Callable[[int], Sequence[int]]:
    versions = [_version_of(value) for value in domain.values]
    positions = range(len(versions))

    def ordered(position: int) -> Sequence[int]:
        own = getattr(builds.values[position], field_name, None)
        if own is None:
            return positions
        length = len(own.parts)
        return sorted(positions, key=lambda index: versions[index][:length] != own.parts)

    return ordered


def _version_of(value: Any) -> tuple[int, ...]:
    if isinstance(value, Unheard):
        return ()
    version = value.release.version if isinstance(value, CudnnBuild) else value.version
    parts: tuple[int, ...] = version.parts
    return parts


def _is_cudnn(build: Any, asked: str) -> bool:
    numbers = asked.split(".")
    if isinstance(build, Unheard) or not all(part.isdecimal() for part in numbers):
        return False
    parts = tuple(int(part) for part in numbers)
    return bool(build.release.version.parts[: len(parts)] == parts)


def _judge_cudnn(build: FrameworkBuild, cudnn: Any) -> Judgement:
    if cudnn is UNSAID:
        return FINE if build.cudnn is None else _NO
    return judge_builds.judge_cudnn(build, cudnn.release.version)


def _judge_cudnn_cuda(cudnn: Any, release: Any) -> Judgement:
    return FINE if cudnn is UNSAID else judge_cudnn_cuda(cudnn, release)


def _judge_cudnn_on(machine: Machine, cudnn: Any) -> Judgement:
    return FINE if cudnn is UNSAID else judge_cudnn_on(machine, cudnn)


def _judge_glibc(build: FrameworkBuild, ground: Ground) -> Judgement:
    if ground.glibc is None:
        return Judgement.unknown(f"which glibc {ground.name} has")
    return judge_builds.judge_glibc(build, ground.glibc)


def _judge_start(machine: Machine, ground: Ground) -> Judgement:
    return judge_machines.judge_gate(machine, gate_of(ground))


def _tell_start(grounds: Sequence[Ground]) -> Fact:
    gate = gate_of(grounds[0])
    return gate.fact if gate else Fact(f"{grounds[0].name} demands no driver", ())


@cache
def _tag_judge(today: date | None) -> Callable[[Ground, str], Judgement]:
    def judged(ground: Ground, always: str) -> Judgement:
        del always
        return judge_tag(ground, today)

    return judged


def _tell_tag(grounds: Sequence[Ground]) -> Fact:
    image = grounds[0].image
    fact = image.removal if image else None
    return fact or Fact(f"{grounds[0].name} can't be pulled", ())


def _tell_ground_cuda(grounds: Sequence[Ground]) -> Fact:
    image = grounds[0].image
    if image is None:
        return Fact(f"{grounds[0].name} holds no CUDA", ())
    text = f"{image.reference} holds CUDA {image.cuda}"
    return Fact(text, image.status_fact.sources, image.status_fact.verified)


def _tell_glibc(grounds: Sequence[Ground]) -> Fact:
    return grounds[0].glibc_fact or Fact(f"{grounds[0].name} has an unknown glibc", ())


def _fine(one: Any, other: Any) -> Judgement:
    del one, other
    return FINE


def _is_cuda(build: FrameworkBuild, always: str) -> Judgement:
    del always
    return FINE if build.device == "cuda" else _NO


def _is_cpu(build: FrameworkBuild, always: str) -> Judgement:
    del always
    return FINE if build.device == "cpu" else _NO


def _of_one(judge: Callable[[Machine], Judgement]) -> Callable[[Machine, str], Judgement]:
    return _ONE_SIDED[judge]


def _use(machine: Machine, always: str) -> Judgement:
    del always
    return judge_machines.judge_use(machine)


def _gpu(machine: Machine, always: str) -> Judgement:
    del always
    return judge_machines.judge_gpu(machine)


_ONE_SIDED = {judge_machines.judge_use: _use, judge_machines.judge_gpu: _gpu}


def _tell_use(machines: Sequence[Machine]) -> Fact:
    instance, use = machines[0].instance, machines[0].use
    return Fact(f"{instance.name} is not offered for {use}", instance.sources)


def _tell_arch(machines: Sequence[Machine]) -> Fact:
    instance = machines[0].instance
    return Fact(f"{instance.name} is {instance.cpu_arch}", instance.sources)


def _tell_gpu(machines: Sequence[Machine]) -> Fact:
    instance = machines[0].instance
    if instance.gpu is not None:
        return instance.gpu.fact
    return Fact(f"{instance.name} has no NVIDIA GPU", instance.sources)


def _tell_driver(machines: Sequence[Machine]) -> Fact:
    return judge_machines.driver_fact(machines[0].instance, machines[0].use)
