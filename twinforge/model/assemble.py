"""From files to a project: what one file can't say alone is checked, then all is completed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twinforge.errors import Problem
from twinforge.model.check_axes import check_axes
from twinforge.model.check_matrix import check_matrix
from twinforge.model.check_recipe import check_recipe
from twinforge.model.check_rules import check_recipe_rules
from twinforge.model.complete import complete_axes, complete_matrix, complete_recipe
from twinforge.model.expand import Family, expand_variants
from twinforge.model.inherit import parents_first, parents_of
from twinforge.model.merge import variant_recipe
from twinforge.model.project import Project
from twinforge.model.vocabulary import read_vocabulary
from twinforge.yamlfile import show_value, show_where

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from twinforge.model.inside import ProjectFiles
    from twinforge.model.matrix import Axis, Base, Matrix
    from twinforge.model.matrix_file import MatrixFile
    from twinforge.model.recipe import Override, Recipe
    from twinforge.model.recipe_file import RecipeFile
    from twinforge.model.source import Source
    from twinforge.model.variant import Variant
    from twinforge.model.vocabulary import Vocabulary

    Sources = Mapping[str, Source[RecipeFile] | None]

__all__ = ["assemble_project"]

# stands in for a version that could not be read, while the rest is checked
_NO_VERSION = "0"


def assemble_project(
    matrix_source: Source[MatrixFile] | None,
    recipes: Sources,
    files: ProjectFiles,
    problems: list[Problem],
) -> Project | None:
    """Check all files and expand the matrix, which is possible while recipes still hold problems.

    Args:
        matrix_source: The matrix, or None where it could not be read.
        recipes: The recipes by name, None for one that could not be read.
        files: The project's files.
        problems: What is wrong so far; more is added.

    Returns:
        The project, unless there is a problem.
    """
    for name, source in recipes.items():
        if source:
            problems += check_recipe(source, name, files)
    order, circles = parents_first(recipes)
    problems += circles
    if matrix_source is None:
        return None
    vocabulary = read_vocabulary(matrix_source, recipes)
    of_recipes = list(_check_recipes(matrix_source, vocabulary, recipes, files))
    wrong = list(check_matrix(matrix_source, vocabulary, files))
    problems += of_recipes + wrong
    wrong += [problem for problem in of_recipes if problem.where.startswith("axes")]
    if wrong or matrix_source.broken or vocabulary.is_partial or len(order) < len(recipes):
        return None
    matrix = complete_matrix(matrix_source)
    problems += _check_bases(matrix.bases)
    faulty = {problem.path for problem in problems}
    complete = _complete(recipes, order, faulty)
    families = list(_families(recipes, complete, matrix))
    expansion = expand_variants(families, matrix)
    problems += expansion.problems
    if len(complete) == len(recipes):
        problems += _check_headers(complete, (*expansion.variants, *expansion.shelved))
    if problems:
        return None
    return Project(
        files.root,
        tuple(complete[name] for name in recipes),
        matrix,
        expansion.variants,
        expansion.excluded,
        expansion.shelved,
    )


def _check_recipes(
    matrix: Source[MatrixFile], vocabulary: Vocabulary, recipes: Sources, files: ProjectFiles
) -> Iterator[Problem]:
    """Yield the problems of what recipes say in the matrix's words."""
    declared = matrix.document.node(("accelerators",))
    for source in recipes.values():
        if source is None:
            continue
        if source.sound("axes"):
            accelerators = list(declared.keys) if declared else None
            yield from check_axes(source, source.file.axes, accelerators)
        yield from check_recipe_rules(source, vocabulary, files)


def _complete(recipes: Sources, order: Sequence[str], faulty: set[str]) -> dict[str, Recipe]:
    """Return the recipes that hold no problem, and neither does what they extend."""
    parents = parents_of(recipes)
    complete: dict[str, Recipe] = {}
    for name in order:
        source, parent = recipes[name], parents.get(name)
        is_right = source is not None and source.document.path not in faulty
        if source is not None and is_right and (parent is None or parent in complete):
            complete[name] = complete_recipe(source, complete[parent] if parent else None)
    return complete


def _families(recipes: Sources, complete: Mapping[str, Recipe], matrix: Matrix) -> Iterator[Family]:
    """Yield what decides the variants of each recipe, as far as that could be read."""
    for name in recipes:
        recipe = complete.get(name)
        if recipe is not None:
            axes = _joined(matrix.axes, recipe.axes)
            yield Family(name, recipe.version, axes, recipe.overrides, recipe.shelves)
        else:
            yield Family(name, _version(recipes, name), _joined(matrix.axes, _axes(recipes, name)))


def _joined(axes: Iterable[Axis], own: Iterable[Axis]) -> tuple[Axis, ...]:
    """Return the matrix's axes, those of the recipe in their place, and then the recipe's own."""
    return tuple({axis.name: axis for axis in (*axes, *own)}.values())


def _version(recipes: Sources, name: str) -> str:
    source, parents = recipes[name], parents_of(recipes)
    if source is None or not source.sound("version"):
        return _NO_VERSION
    if not source.file.version and name in parents:
        return _version(recipes, parents[name])
    return source.file.version or _NO_VERSION


def _axes(recipes: Sources, name: str) -> tuple[Axis, ...]:
    source, parents = recipes[name], parents_of(recipes)
    inherited = _axes(recipes, parents[name]) if name in parents else ()
    return _joined(inherited, complete_axes(source) if source is not None else ())


def _check_headers(recipes: Mapping[str, Recipe], variants: Iterable[Variant]) -> Iterator[Problem]:
    """Yield overrides that want the headers of libraries in variants of which none has any."""
    has_libraries: dict[Override, bool] = {}
    for variant in variants:
        wanting = [one for one in variant.overrides if one.cuda is not None and one.cuda.dev]
        if not wanting or not variant.accelerator.cuda:
            continue
        own = variant_recipe(recipes[variant.recipe], variant).cuda
        has_some = bool(own.libraries or variant.accelerator.libraries.libraries)
        for override in wanting:
            has_libraries[override] = has_libraries.get(override, False) or has_some
    for override, has_some in has_libraries.items():
        if not has_some and override.cuda is not None:
            place, where = override.cuda.place, show_where((*override.where, "cuda", "dev"))
            message = "there are no libraries to have headers of"
            yield Problem(place.path, place.line, place.column, where, message)


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
