"""Recording what was released, and saying what else has to know of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twinforge.events import Event, State
from twinforge.registry.releases import write_release

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twinforge.api.workspace import Workspace
    from twinforge.model.matrix import Registry
    from twinforge.registry.items import Pushed
    from twinforge.registry.releases import Release

__all__ = ["record_release"]


def record_release(
    workspace: Workspace, release: Release, registry: Registry | None, done: Sequence[Pushed]
) -> None:
    """Write a release into its record, and tell of a lifecycle policy that does not know it yet.

    Args:
        workspace: The project.
        release: What is in the registry now.
        registry: Which one of the matrix it is in; None for another one.
        done: What was brought there.

    Raises:
        ProjectError: The record that is there is not one.
    """
    write_release(workspace.root, release)
    if registry is None or registry.lifecycle is None or all(one.already for one in done):
        return
    versions = " and ".join(sorted({one.version for one in release.variants}))
    to = f" {registry.name}" if len(workspace.project.matrix.registries) > 1 else ""
    text = f"`twinforge registry apply{to}` lets the lifecycle policy keep {versions}"
    workspace.listener(Event("push", release.recipe, State.NOTE, text))
