"""Reading a project: parse, validate, complete, with every problem of every file at once."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel

from twinforge.errors import Problem, ProjectError
from twinforge.model.check_matrix import check_matrix
from twinforge.model.check_recipe import check_recipe
from twinforge.model.complete import complete_matrix, complete_recipe
from twinforge.model.expand import expand_variants
from twinforge.model.files import MatrixFile, RecipeFile
from twinforge.model.inside import ProjectFiles
from twinforge.model.project import Project
from twinforge.model.source import Source, read_source
from twinforge.yamlfile import parse_yaml, show_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from twinforge.model.matrix import Base
    from twinforge.yamlfile import Where

__all__ = ["MATRIX", "RECIPES", "load_project"]

MATRIX = "matrix.yaml"
RECIPES = "recipes"

_AS_WRITTEN: Sequence[Where] = (("env",), ("smoke", "train", "hyperparameters"))
# stands in for a version that could not be read, while the rest is checked
_NO_VERSION = "0"

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
        recipes[name] = _read(files, path, RecipeFile, problems, as_written=_AS_WRITTEN)
    for name, source in recipes.items():
        if source:
            problems += check_recipe(source, name, files)
    project = _expand(_read(files, MATRIX, MatrixFile, problems), recipes, problems, root)
    if project is None or problems:
        raise ProjectError(problems)
    return project


def _expand(
    matrix_source: Source[MatrixFile] | None,
    recipes: dict[str, Source[RecipeFile] | None],
    problems: list[Problem],
    root: Path,
) -> Project | None:
    """Check the matrix and expand it, which is possible while recipes still hold problems."""
    if matrix_source is None:
        return None
    found = list(check_matrix(matrix_source, tuple(recipes)))
    problems += found
    if found or matrix_source.broken:
        return None
    matrix = complete_matrix(matrix_source)
    problems += _check_bases(matrix.bases)
    releases = [
        (name, source.file.version if source and source.sound("version") else _NO_VERSION)
        for name, source in recipes.items()
    ]
    expansion = expand_variants(releases, matrix)
    problems += expansion.problems
    if problems:
        return None
    complete = tuple(complete_recipe(source) for source in recipes.values() if source)
    return Project(root, complete, matrix, expansion.variants)


def _check_bases(bases: Iterable[Base]) -> list[Problem]:
    problems = []
    first: dict[tuple[str, str], str] = {}
    for base in bases:
        owner = first.setdefault((base.os, base.cuda), base.name)
        if owner != base.name:
            serves = (
                f"os {show_value(base.os)} and {f'CUDA {base.cuda}' if base.cuda else 'no CUDA'}"
            )
            message = f"the base {show_value(owner)} serves {serves} already"
            place = base.place
            problems.append(
                Problem(place.path, place.line, place.column, f"bases.{base.name}", message)
            )
    return problems


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
    *,
    as_written: Sequence[Where] = (),
) -> Source[M] | None:
    wrong = list(files.file_problems(path))
    if wrong:
        problems += [Problem(path, 0, 0, "", message) for message in wrong]
        return None
    try:
        document = parse_yaml((files.root / path).read_bytes(), path)
    except ProjectError as error:
        problems += error.problems
        return None
    except OSError as error:
        message = f"the file can't be read: {(error.strerror or 'unknown reason').lower()}"
        problems.append(Problem(path, 0, 0, "", message))
        return None
    source, found = read_source(document, model, as_written=as_written)
    problems += found
    return source
