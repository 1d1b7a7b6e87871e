"""``new``: the first files of a recipe, and of a project where there is none."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from twinforge.errors import UsageError
from twinforge.model.load import MATRIX, load_accelerators
from twinforge.model.suggest import known_or_close
from twinforge.scaffold.accelerators import choose_accelerators, new_accelerators
from twinforge.scaffold.files import NewFile, Style, check_name, matrix_files, recipe_files
from twinforge.scaffold.frameworks import FRAMEWORKS
from twinforge.scaffold.write import check_new, write_new

if TYPE_CHECKING:
    from pathlib import Path

    from twinforge.scaffold.accelerators import Chosen

__all__ = ["FRAMEWORKS", "NewRecipe", "plan_new", "write_new"]

CPU_INSTANCE = "ml.m5.large"
GPU_INSTANCE = "ml.g4dn.xlarge"


@dataclass(frozen=True, slots=True)
class NewRecipe:
    """A recipe that is to be written.

    Attributes:
        files: Its files, with those of the project where there is none.
        following: What to run then in the project's folder, in order.
        notes: What to know before that.
    """

    files: tuple[NewFile, ...]
    following: tuple[str, ...]
    notes: tuple[str, ...]


def plan_new(root: Path, name: str, *, framework: str, style: Style) -> NewRecipe:
    """Return a new recipe; with a matrix where the folder has none.

    In a project that is there, the recipe is for those of its accelerators that the framework fits.

    Args:
        root: The project's folder, which need not be there.
        name: The recipe's.
        framework: One of :data:`FRAMEWORKS`.
        style: Whether the recipe has a program of its own, or uses the built-in runtime.

    Raises:
        UsageError: The name is none, there is no such framework, no accelerator for it, or no room
            for a file.
        ProjectError: The folder's matrix can't be read.
    """
    if framework not in FRAMEWORKS:
        message = (
            f"there is no framework '{framework}'{known_or_close(framework, list(FRAMEWORKS))}"
        )
        raise UsageError(message)
    wanted = FRAMEWORKS[framework]
    check_name(name)
    if os.path.lexists(root / MATRIX):
        chosen = choose_accelerators(wanted, *load_accelerators(root))
        project: list[NewFile] = []
    else:
        chosen = new_accelerators(wanted)
        project = [one for one in matrix_files(wanted) if not _is_optional_and_there(root, one)]
    files = (*project, *recipe_files(name, wanted, style, chosen))
    check_new(root, files)
    notes = [wanted.note[kind] for kind in chosen.kinds if kind in wanted.note]
    above = next((one for one in root.resolve().parents if (one / MATRIX).is_file()), None)
    if project and above is not None:
        notes.append(f"this is a project of its own, with a {MATRIX} beside that of {above}")
    return NewRecipe(files, _following(name, chosen), tuple(notes))


def _following(name: str, chosen: Chosen) -> tuple[str, ...]:
    channel = f"training=images/{name}/smoke/training"
    instance = CPU_INSTANCE if chosen.cpu else GPU_INSTANCE
    return (
        "twinforge check",
        f"python3 -m unittest discover images/{name}/tests",
        f"twinforge lock {name}",
        f"twinforge build {name}",
        f"twinforge smoke {name}",
        f"twinforge local train {name} --instance {instance} --channel {channel}",
    )


def _is_optional_and_there(root: Path, file: NewFile) -> bool:
    return file.path == ".gitignore" and os.path.lexists(root / file.path)
