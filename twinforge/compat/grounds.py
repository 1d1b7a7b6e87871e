"""What an image stands on: its system's glibc, and of ``nvidia/cuda`` what the tag holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from twinforge.compat.active import per_project
from twinforge.compat.cudnn_builds import CudnnBuild, cudnn_builds
from twinforge.compat.facts import Dotted, Fact
from twinforge.compat.images import CudaImage, cuda_images, find_image, image_tag
from twinforge.compat.startup import ImageGate, image_gate
from twinforge.compat.tables import load_system_table
from twinforge.compat.verdict import FINE, Judgement, Verdict
from twinforge.model.reference import Reference

if TYPE_CHECKING:
    from datetime import date

    from twinforge.compat.cuda import CudaRelease

__all__ = [
    "Ground",
    "gate_of",
    "ground_of",
    "grounds_like",
    "judge_ground_cuda",
    "judge_ground_cudnn",
    "judge_tag",
]

_NO = Judgement(Verdict.IMPOSSIBLE)
_PATCHED = 2
"""How many numbers of a CUDA version tell releases apart."""


@dataclass(frozen=True, slots=True)
class Ground:
    """A base, by the name that it was asked for with.

    ``glibc`` and its fact are None where nothing is known of the system; ``image`` is the tag of
    ``nvidia/cuda`` that it is, if it is one and known.
    """

    name: str
    system: str
    glibc: Dotted | None
    glibc_fact: Fact | None
    image: CudaImage | None


@per_project
def ground_of(text: str) -> Ground | None:
    """Return what a base is: ``ubuntu:22.04``, ``debian-12``, ``bookworm``, ``nvidia/cuda:...``.

    None where there is no data on it.
    """
    # the tags are read for nothing but one of them: there are thousands
    if image_tag(text):
        image = find_image(text)
        return _ground(text, image.system, image) if image else None
    systems = load_system_table().systems
    if text in systems:
        return _ground(text, text, None)
    by_codename = {record.codename: name for name, record in systems.items()}
    if text in by_codename:
        return _ground(text, by_codename[text], None)
    try:
        reference = Reference.parse(text)
    except ValueError:
        return None
    repository = reference.repository.rpartition("/")[2]
    release = reference.tag.partition("-")[0]
    name = f"{repository}-{release}"
    found = name if name in systems else by_codename.get(release, "")
    return _ground(text, found, None) if found.startswith(f"{repository}-") else None


@per_project
def grounds_like(text: str) -> tuple[Ground, ...]:
    """Return what could be taken instead of a base: the same kind, oldest first.

    Of ``nvidia/cuda`` those are tags of the same flavour that are still listed.
    """
    tag = image_tag(text)
    if not tag:
        names = load_system_table().systems
        found = (ground_of(name.replace("-", ":", 1)) for name in names)
        return tuple(sorted((g for g in found if g), key=_by_distribution))
    asked = find_image(text)
    flavour = asked.flavour if asked else "base"
    with_cudnn = bool(asked.cudnn) if asked else False
    images = (
        image
        for image in cuda_images("supported", load_system_table().systems).values()
        if image.flavour == flavour and bool(image.cudnn) == with_cudnn
    )
    grounds = (ground_of(image.reference) for image in images)
    return tuple(
        sorted(
            (g for g in grounds if g and g.image),
            key=lambda g: (g.image.cuda.parts, g.system) if g.image else ((), ""),
        )
    )


@per_project
def gate_of(ground: Ground) -> ImageGate | None:
    """Return what a base demands of a host when it starts, or None where no source says."""
    image = ground.image
    return image_gate(str(image.cuda), ground.system) if image else None


def judge_ground_cuda(ground: Ground, release: CudaRelease) -> Judgement:
    """Whether a base goes together with a CUDA release: with its own only, if it holds one."""
    if ground.image is None:
        return FINE
    return FINE if ground.image.cuda.parts[:_PATCHED] == release.version.parts else _NO


def judge_ground_cudnn(ground: Ground, cudnn: CudnnBuild) -> Judgement:
    """Whether a base goes together with a cuDNN: with its own only, if it holds one."""
    image = ground.image
    if image is None or not image.cudnn:
        return FINE
    version = cudnn.release.version
    if image.cudnn_version in _known_cudnn():
        return FINE if version == image.cudnn_version else _NO
    major = image.cudnn.removeprefix("cudnn")
    if major and major != str(version.major):
        return _NO
    return Judgement.unknown(f"which cuDNN {image.reference} holds")


@per_project
def _known_cudnn() -> frozenset[Dotted]:
    return frozenset(build.release.version for build in cudnn_builds())


def judge_tag(ground: Ground, today: date | None) -> Judgement:
    """Whether a base can be pulled, and for how long.

    Args:
        ground: The base.
        today: What ends of life are compared with; None compares them with nothing.
    """
    ended = _ended(ground, today)
    image = ground.image
    if image is None:
        return ended
    if image.removal is not None:
        return _NO
    if image.status == "gone":
        said = image.status_fact.text.removeprefix(f"{image.reference} ")
        return Judgement.unknown(f"whether {image.reference} can still be pulled: it {said}")
    if image.status == "unsupported" or (
        today is not None and image.end_of_life is not None and image.end_of_life < today
    ):
        condition = f"{image.reference} is past its end of life: keep a copy, it will be deleted"
        if image.deletion is not None:
            condition += f" (expected {image.deletion})"
        facts = tuple(fact for fact in (image.status_fact, image.end_fact) if fact)
        return Judgement(
            Verdict.CONDITIONAL, (*facts, *ended.facts), (condition, *ended.conditions)
        )
    return Judgement(ended.verdict, (image.status_fact, *ended.facts), ended.conditions)


def _ended(ground: Ground, today: date | None) -> Judgement:
    """Whether the system still gets security updates; those of a paid service do not count."""
    table = load_system_table()
    record = table.systems.get(ground.system)
    if record is None or today is None:
        return FINE
    ends = [end for end in (record.end_of_life, record.end_of_lts) if end is not None]
    if not ends or max(ends) >= today:
        return FINE
    text = f"{ground.system} is past its end of life ({max(ends)}): no free security updates"
    sources = table.cite(record.sources_of("end_of_life"))
    return Judgement(Verdict.CONDITIONAL, (Fact(text, sources),), (text,))


def _ground(text: str, system: str, image: CudaImage | None) -> Ground | None:
    table = load_system_table()
    record = table.systems.get(system)
    if record is None:
        return Ground(text, system, None, None, image) if image else None
    fact = Fact(f"{system} has glibc {record.glibc}", table.cite(record.source), record.verified)
    return Ground(text, system, Dotted.parse(record.glibc), fact, image)


def _by_distribution(ground: Ground) -> tuple[str, tuple[int, ...]]:
    distribution, _, release = ground.system.partition("-")
    return distribution, Dotted.parse(release).parts
