"""What is asked of the facts, and what they answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from twinforge.compat.facts import Fact, Use
    from twinforge.compat.verdict import Verdict

__all__ = ["Answer", "Ask", "Change", "Choice", "Device", "Pin", "Question", "Wanted"]

Device = Literal["", "cpu", "cuda"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A framework that is asked for.

    ``name`` is the framework's or a package's of it (``tensorflow-gpu``, ``tensorflow[and-cuda]``),
    ``specifier`` a PEP 440 specifier set, empty for any version. A name that a framework and a
    package have in common is the framework's unless it is ``exact``.
    """

    name: str
    specifier: str = ""
    exact: bool = False

    def __str__(self) -> str:
        """Return it as a requirement."""
        return f"{self.name}{self.specifier}"


@dataclass(frozen=True, slots=True)
class Question:
    """What has to go together; an empty field is free.

    Attributes:
        frameworks: Frameworks that are in one image.
        cuda: The CUDA release of the image, such as ``12.4``.
        cudnn: The version of cuDNN in the image.
        python: Its Python, such as ``3.12``.
        base: What it stands on: ``ubuntu:22.04``, ``debian-12``, or an image of ``nvidia/cuda``.
        cpu_arch: ``amd64`` or ``arm64``.
        instances: The instance types that all have to run it.
        use: What SageMaker runs it for.
        ami: The AMI version that will be asked for.
        device: ``cpu`` or ``cuda``; where it is empty, an image that names CUDA or has to run on an
            NVIDIA GPU is one with CUDA.
        today: The day that ends of life are compared with; None compares them with nothing.
        has_own_cudnn: Whether cuDNN comes as a wheel, so that a base's own plays no part.
        places: Where something was asked for (``matrix.yaml:8:3``), by the ask's label.
    """

    frameworks: tuple[Wanted, ...] = ()
    cuda: str = ""
    cudnn: str = ""
    python: str = ""
    base: str = ""
    cpu_arch: str = ""
    instances: tuple[str, ...] = ()
    use: Use = "hosting"
    ami: str = ""
    device: Device = ""
    today: date | None = None
    has_own_cudnn: bool = False
    places: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), compare=False)


@dataclass(frozen=True, slots=True)
class Ask:
    """One thing that was asked for, in words, with its label and where it was written."""

    label: str
    text: str
    place: str = ""

    def __str__(self) -> str:
        """Return the words with the place."""
        return f"{self.text} ({self.place})" if self.place else self.text


@dataclass(frozen=True, slots=True)
class Pin:
    """A build of a framework, as it is installed; ``index`` is empty for the default one."""

    framework: str
    package: str
    version: str
    index: str = ""

    def __str__(self) -> str:
        """Return it as a requirement."""
        return f"{self.package}=={self.version}"


@dataclass(frozen=True, slots=True)
class Choice:
    """One combination; what plays no part in the question is empty.

    ``amis`` maps an instance type to the AMI version to ask for, where one is needed; ``packages``
    are those that the image needs for a driver that is too old.
    """

    frameworks: tuple[Pin, ...] = ()
    cuda: str = ""
    cudnn: str = ""
    python: str = ""
    base: str = ""
    cpu_arch: str = ""
    amis: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    packages: tuple[str, ...] = ()

    def told(self) -> str:
        """Return it in words: ``torch==2.6.0, CUDA 12.4, Python 3.12``."""
        parts = [f"{pin} (index {pin.index})" if pin.index else str(pin) for pin in self.frameworks]
        named = (("CUDA", self.cuda), ("cuDNN", self.cudnn), ("Python", self.python))
        parts += [f"{name} {value}" for name, value in named if value]
        parts += [value for value in (self.base, *self.packages) if value]
        return ", ".join(parts)

    def as_json(self) -> dict[str, object]:
        """Return it as ``twinforge compat`` prints it."""
        frameworks = [
            {
                "framework": pin.framework,
                "requirement": str(pin),
                "version": pin.version,
                "index": pin.index,
            }
            for pin in self.frameworks
        ]
        return {
            "frameworks": frameworks,
            "cuda": self.cuda,
            "cudnn": self.cudnn,
            "python": self.python,
            "base": self.base,
            "arch": self.cpu_arch,
            "amis": dict(self.amis),
            "packages": list(self.packages),
        }


@dataclass(frozen=True, slots=True)
class Change:
    """What can be asked for instead, and the answer to that.

    ``texts`` say what changes ("CUDA 11.8 instead of 12.4"); ``question`` is the changed question.
    """

    texts: tuple[str, ...]
    question: Question
    verdict: Verdict
    conditions: tuple[str, ...]
    choice: Choice

    def as_json(self) -> dict[str, object]:
        """Return it as ``twinforge compat explain --json`` prints it."""
        return {
            "changes": list(self.texts),
            "verdict": self.verdict.value,
            "conditions": list(self.conditions),
            "with": self.choice.as_json(),
        }


@dataclass(frozen=True, slots=True)
class Answer:
    """What the facts say of a question.

    Attributes:
        verdict: The best that any combination reaches in which everything holds that was asked.
        choice: The best such combination; None where there is none.
        conditions: Under which it works.
        missing: The data without which it is not known whether it works.
        facts: What a "works" or "conditional" rests on.
        asked: Of an impossible question, what was asked for and takes part in the conflict.
        conflict: The fewest facts that make it impossible: without any of them, and without any of
            ``asked``, there would be a combination.
        nearest: Changes that work, best first.
    """

    verdict: Verdict
    choice: Choice | None = None
    conditions: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    facts: tuple[Fact, ...] = ()
    asked: tuple[Ask, ...] = ()
    conflict: tuple[Fact, ...] = ()
    nearest: tuple[Change, ...] = ()

    @property
    def reason(self) -> str:
        """What decides, in one sentence."""
        decisive = self.conflict or self.facts
        return "; ".join((*self.missing, *(fact.text for fact in decisive)))

    def as_json(self) -> dict[str, object]:
        """Return it as ``twinforge compat explain --json`` prints it."""
        return {
            "verdict": self.verdict.value,
            "conditions": list(self.conditions),
            "missing": list(self.missing),
            "asked": [{"ask": ask.text, "place": ask.place} for ask in self.asked],
            "conflict": [_fact_json(fact) for fact in self.conflict],
            "facts": [_fact_json(fact) for fact in self.facts],
            "with": self.choice.as_json() if self.choice else None,
            "nearest": [change.as_json() for change in self.nearest],
        }


def _fact_json(fact: Fact) -> dict[str, object]:
    return {"fact": fact.text, "sources": list(fact.sources), "verified": fact.verified}
