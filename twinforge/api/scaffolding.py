"""``new``: the first files of a recipe, and of a project where there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twinforge.errors import UsageError
from twinforge.model.load import MATRIX
from twinforge.model.suggest import known_or_close
from twinforge.scaffold.files import NewFile, Style, matrix_files, recipe_files
from twinforge.scaffold.frameworks import FRAMEWORKS
from twinforge.scaffold.write import write_new

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["FRAMEWORKS", "next_commands", "plan_new", "write_new"]


def plan_new(root: Path, name: str, *, framework: str, style: Style) -> tuple[NewFile, ...]:
    """Return the files of a new recipe; with a matrix where the folder has none.

    Args:
        root: The project's folder, which need not be there.
        name: The recipe's.
        framework: One of :data:`FRAMEWORKS`.
        style: Whether the recipe has a program of its own, or uses the built-in runtime.

    Raises:
        UsageError: The name is none, or there is no such framework.
    """
    if framework not in FRAMEWORKS:
        message = (
            f"there is no framework '{framework}'{known_or_close(framework, list(FRAMEWORKS))}"
        )
        raise UsageError(message)
    chosen = FRAMEWORKS[framework]
    files = recipe_files(name, chosen, style)
    if (root / MATRIX).exists():
        return files
    project = [file for file in matrix_files(chosen) if not _is_optional_and_there(root, file)]
    return (*project, *files)


def next_commands(name: str, instance: str = "ml.m5.large") -> Sequence[str]:
    """Return what to run next, in order."""
    channel = f"training=images/{name}/smoke/training"
    return (
        "twinforge check",
        f"python3 -m unittest discover images/{name}/tests",
        f"twinforge lock {name}",
        f"twinforge build {name}",
        f"twinforge smoke {name}",
        f"twinforge local train {name} --instance {instance} --channel {channel}",
    )


def _is_optional_and_there(root: Path, file: NewFile) -> bool:
    return file.path == ".gitignore" and (root / file.path).exists()
