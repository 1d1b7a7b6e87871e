"""What the matrix, the lock and the facts ask of a variant's device, for what looks at its image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twinforge.compat.frameworks import framework_builds, framework_of
from twinforge.compat.instances import find_instance
from twinforge.compat.machines import Machine
from twinforge.model.rules import applies
from twinforge.smoke.device import DeviceAsked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twinforge.api.workspace import Workspace
    from twinforge.lock.locked import VariantLock
    from twinforge.model.variant import Variant

__all__ = ["device_asked"]


def device_asked(workspace: Workspace, variant: Variant, lock: VariantLock) -> DeviceAsked:
    """Return for which CUDA and GPUs the image of a variant has to be.

    Raises:
        UnknownError: There is no data on an instance type that it serves.
    """
    with workspace.own_data():
        return DeviceAsked(
            cuda=variant.accelerator.cuda,
            cudnn=variant.accelerator.cudnn,
            apt={package.name: package.version for package in lock.apt},
            wheels={wheel.name: wheel.version for wheel in lock.wheels},
            machines=tuple(_machines(workspace, variant)),
            with_cuda=frozenset(_with_cuda(lock)),
        )


def _machines(workspace: Workspace, variant: Variant) -> Iterator[Machine]:
    for one in workspace.project.matrix.serves:
        if applies(one, variant.words):
            yield Machine(find_instance(one.instance), one.use)


def _with_cuda(lock: VariantLock) -> Iterator[str]:
    """Yield the locked wheels of which there is a build with CUDA in this version."""
    for wheel in lock.wheels:
        framework = framework_of(wheel.name)
        public = wheel.version.partition("+")[0]
        if framework is not None and any(
            (build.package, build.version, build.device) == (wheel.name, public, "cuda")
            for build in framework_builds(framework)
        ):
            yield wheel.name
