"""Reading a project: parse, validate, complete, with every problem of every file at once."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeVar, cast

from pydantic import BaseModel

from twinforge.errors import Problem, ProjectError
from twinforge.model.assemble import assemble_project
from twinforge.model.complete import complete_accelerators
from twinforge.model.inside import ProjectFiles, read_document
from twinforge.model.matrix_file import MatrixFile
from twinforge.model.recipe_file import HeirFile, RecipeFile
from twinforge.model.source import Source, read_source
from twinforge.yamlfile import show_value

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from twinforge.model.matrix import Accelerator
    from twinforge.model.project import Project
    from twinforge.yamlfile import Document, Where

__all__ = ["MATRIX", "RECIPES", "load_accelerators", "load_project"]

MATRIX = "matrix.yaml"
RECIPES = "recipes"

_AS_WRITTEN: tuple[Where, ...] = (
    ("env",),
    ("smoke", "train", "hyperparameters"),
    ("smoke", "train", "stop", "hyperparameters"),
)

M = TypeVar("M", bound=BaseModel)


def load_project(root: Path) -> Project:
    """Read ``matrix.yaml`` and ``recipes/*.yaml`` of a project.

    Raises:
        ProjectError: Something is wrong; it holds all problems of all files.
    """
    root = root.resolve()
    files = ProjectFiles(root)
    problems: list[Problem] = []
    names = _recipe_names(root, problems)
    recipes: dict[str, Source[RecipeFile] | None] = {}
    for name in names:
        path = f"{RECIPES}/{name}.yaml"
        recipes[name] = _read(files, path, RecipeFile, problems)
    matrix = _read(files, MATRIX, MatrixFile, problems)
    project = assemble_project(matrix, recipes, files, problems)
    if project is None or problems:
        raise ProjectError(problems)
    return project


def load_accelerators(root: Path) -> tuple[tuple[Accelerator, ...], tuple[str, ...]]:
    """Read what ``matrix.yaml`` says of accelerators, whatever is wrong with recipes.

    Returns:
        All that are declared, and the names of those on the axis, both in their order.

    Raises:
        ProjectError: The matrix can't be read, or has a key or value of a wrong form.
    """
    problems: list[Problem] = []
    source = _read(ProjectFiles(root.resolve()), MATRIX, MatrixFile, problems)
    if source is None or problems:
        raise ProjectError(problems)
    return complete_accelerators(source), tuple(source.file.axes.get("accelerator", ()))


def _recipe_names(root: Path, problems: list[Problem]) -> list[str]:
    folder = root / RECIPES
    names = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        shown = f"{RECIPES}/{path.name}"
        if path.suffix == ".yml":
            message = f"recipes end in .yaml; rename it to {show_value(f'{path.stem}.yaml')}"
            problems.append(Problem(shown, 0, 0, "", message))
        elif path.suffix == ".yaml":
            if re.fullmatch(r"[a-z0-9]+(?:[._-][a-z0-9]+)*", path.stem):
                names.append(path.stem)
            else:
                message = (
                    f"{show_value(path.stem)} is not a name (lower-case words joined by . _ -)"
                )
                problems.append(
                    Problem(shown if shown.isprintable() else show_value(shown), 0, 0, "", message)
                )
    if not names and not problems:
        problems.append(Problem(RECIPES, 0, 0, "", "the folder holds no recipe (*.yaml)"))
    return names


def _read(
    files: ProjectFiles,
    path: str,
    model: type[M],
    problems: list[Problem],
) -> Source[M] | None:
    document = read_document(files, path, problems)
    if document is None:
        return None
    if model is RecipeFile and document.node(("extends",)) is not None:
        # what it leaves out stands in the recipe that it extends
        model = cast("type[M]", HeirFile)
    source, found = read_source(document, model, as_written=tuple(_as_written(document)))
    problems += found
    return source


def _as_written(document: Document) -> Iterator[Where]:
    """Yield the paths of mappings whose values are text, whatever they look like."""
    yield from _AS_WRITTEN
    overrides = document.node(("overrides",))
    items = overrides.content if overrides is not None else ()
    for index in range(len(items) if isinstance(items, tuple) else 0):
        for path in _AS_WRITTEN:
            yield ("overrides", index, *path)
