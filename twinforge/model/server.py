"""The web server that the runtime of an image stands on; the only place that names its packages.

The ranges say what ``twinforge/runtime`` was written against; ``lock`` picks and pins the versions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.requirements import Requirement

from twinforge.model.recipe import Package

if TYPE_CHECKING:
    from twinforge.model.recipe import Runtime

__all__ = ["SERVER", "server_packages"]

SERVER = ("httptools>=0.6.4,<1", "uvicorn>=0.35,<1")


def server_packages(runtime: Runtime) -> tuple[Package, ...]:
    """Return what the runtime itself asks for, in the name of the line that asks for the runtime."""
    return tuple(Package(Requirement(text), runtime.place) for text in SERVER)
