"""What keys and builds are made of, read once per run."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from twinforge.api.moving import Moves
from twinforge.api.rendering import Rendered, locked_variant, render_variant, render_variants
from twinforge.build.program import read_program
from twinforge.build.runtimefiles import read_runtime
from twinforge.build.tools import uv_version
from twinforge.render.dockerfile import base_name
from twinforge.render.key import ContentKey, ProgramFile, content_key

if TYPE_CHECKING:
    from twinforge.api.workspace import Workspace
    from twinforge.model.variant import Variant

__all__ = ["Inputs"]


@dataclass(frozen=True)
class Inputs:
    """Variants, and for each all that decides its image.

    Attributes:
        workspace: Where they come from.
        variants: In the order of every answer.
        locked: Whether only the lock counts, whatever is known to have moved.
    """

    workspace: Workspace
    variants: tuple[Variant, ...]
    locked: bool = False
    _programs: dict[str, tuple[ProgramFile, ...]] = field(default_factory=dict)

    @cached_property
    def committed(self) -> tuple[Rendered, ...]:
        """The files as they follow from the committed locks."""
        return render_variants(self.workspace, self.variants)

    @cached_property
    def moves(self) -> Moves:
        """What is known to have moved since the lock; nothing when only the lock counts."""
        path = self.workspace.state_dir / "moved.json"
        return Moves(path) if self.locked else Moves.read(path)

    def files(self, variant: Variant) -> dict[str, str]:
        """Return the generated files that a build of the variant uses, moves included."""
        locked = self.moves.variant(locked_variant(self.workspace, variant))
        return render_variant(self.workspace, variant, locked)

    def base_digest(self, variant: Variant) -> str:
        """Return the digest of the base that a build stands on; or what says that it is not pinned."""
        lock = self.workspace.base_locks.get(variant.base.name)
        if lock is None or not lock.digest:
            return f"unpinned:{base_name(variant, None)}"
        return self.moves.base_digest(lock.digest)

    def program(self, recipe: str) -> tuple[ProgramFile, ...]:
        """Return the files of a recipe's program."""
        if recipe not in self._programs:
            folder = self.workspace.root / self.workspace.project.recipe(recipe).program
            self._programs[recipe] = read_program(folder)
        return self._programs[recipe]

    def has_runtime(self, recipe: str) -> bool:
        """Whether a recipe's images have the built-in runtime."""
        return self.workspace.project.recipe(recipe).runtime is not None

    @cached_property
    def runtime(self) -> tuple[ProgramFile, ...]:
        """The files of the built-in runtime."""
        return read_runtime()

    def key(self, variant: Variant) -> ContentKey:
        """Return the content key of a variant, by what is known to have moved."""
        return content_key(
            self.files(variant),
            base_digest=self.base_digest(variant),
            program=self.program(variant.recipe),
            runtime=self.runtime if self.has_runtime(variant.recipe) else (),
            uv_version=uv_version(),
            cpu_arch=variant.cpu_arch,
        )

    def keys(self) -> dict[str, ContentKey]:
        """Return the content key of every variant, by its id."""
        return {variant.id: self.key(variant) for variant in self.variants}
