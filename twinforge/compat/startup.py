"""What NVIDIA's images demand of a host when they start, and what can be put in for an old driver."""

from __future__ import annotations

from dataclasses import dataclass

from twinforge.compat.active import per_project
from twinforge.compat.facts import Dotted, Fact
from twinforge.compat.tables import load_cuda_table

__all__ = [
    "ForwardPackage",
    "ImageGate",
    "forward_package",
    "gate_branches",
    "image_gate",
    "switch_fact",
]


@dataclass(frozen=True, slots=True)
class ImageGate:
    """The demand of an image (``NVIDIA_REQUIRE_CUDA``); where it is not met, nothing starts.

    ``branches`` are older ones of data-centre GPUs that it lets in, for which the image brings the
    package of :func:`forward_package`; ``driver`` is another lowest one, or ``None``.
    """

    image: Dotted
    cuda: Dotted
    branches: tuple[Dotted, ...]
    driver: Dotted | None
    fact: Fact

    def lets_in(self, driver: Dotted, cuda: Dotted | None) -> bool:
        """Whether it starts on a host.

        Args:
            driver: The host's driver, or its branch (``470``).
            cuda: The CUDA that this driver brings, where it is known.
        """
        if cuda is not None and cuda.parts[:2] >= self.cuda.parts[:2]:
            return True
        if self.driver is not None and driver >= self.driver:
            return True
        return driver.major in {branch.major for branch in self.branches}


@dataclass(frozen=True, slots=True)
class ForwardPackage:
    """The package that lets an older driver of a data-centre GPU run a CUDA release."""

    name: str
    gpus: str
    fact: Fact


def image_gate(cuda: str, system: str) -> ImageGate | None:
    """Return what nvidia/cuda's image of a CUDA release on a system demands.

    Args:
        cuda: As the image's tag writes it: ``12.4.1``, ``9.0``.
        system: Such as ``ubuntu-22.04``.

    Returns:
        The demand, or ``None`` where there is no data on that image.
    """
    table = load_cuda_table()
    for record in table.image_gates:
        if record.image == cuda and system in record.systems:
            branches = ", ".join(record.branches)
            older = f", or one of the branches {branches}" if branches else ""
            older += f", or any from {record.driver} on" if record.driver else ""
            text = (
                f"nvidia/cuda's images of CUDA {cuda} on {system} start where the driver brings "
                f"CUDA {record.cuda}{older}"
            )
            return ImageGate(
                image=Dotted.parse(record.image),
                cuda=Dotted.parse(record.cuda),
                branches=tuple(Dotted.parse(branch) for branch in record.branches),
                driver=Dotted.parse(record.driver) if record.driver else None,
                fact=Fact(text, table.cite(record.source), record.verified),
            )
    return None


@per_project
def gate_branches(cuda: Dotted) -> tuple[Dotted, ...]:
    """Return the older driver branches that images of a CUDA release (two numbers) let in."""
    found = {
        branch
        for record in load_cuda_table().image_gates
        if Dotted.parse(record.image).parts[:2] == cuda.parts[:2]
        for branch in record.branches
    }
    return tuple(sorted(Dotted.parse(branch) for branch in found))


@per_project
def forward_package(cuda: str) -> ForwardPackage | None:
    """Return the package for a release such as ``12.9``, or ``None`` where there is none.

    >>> forward_package("12.9").name
    'cuda-compat-12-9'
    """
    table = load_cuda_table()
    record = table.forward_compatibility
    try:
        release = Dotted.parse(cuda).parts[:2]
    except ValueError:
        return None
    known = {Dotted.parse(name).parts for name in table.releases}
    if release not in known or release < Dotted.parse(record.first).parts:
        return None
    name = f"{record.package}-{release[0]}-{release[1]}"
    text = f"with {name} in the image, an older driver runs CUDA {cuda} ({record.gpus})"
    return ForwardPackage(name, record.gpus, Fact(text, table.cite(record.source), record.verified))


def switch_fact() -> tuple[str, Fact]:
    """Return the environment variable that turns an image's demand off, with its source."""
    table = load_cuda_table()
    record = table.gate_switch
    text = f"{record.name}=true lets an image start whatever it demands of the driver"
    return record.name, Fact(text, table.cite(record.source), record.verified)
