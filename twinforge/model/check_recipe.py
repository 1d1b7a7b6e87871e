"""What a recipe's fields can't say one by one: its name, its files, twins and duplicates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twinforge.model.check_parts import (
    check_env,
    check_packages,
    check_smoke,
    check_system,
    check_without,
    twice,
)
from twinforge.model.check_runtime import check_runtime
from twinforge.yamlfile import show_value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twinforge.errors import Problem
    from twinforge.model.inside import ProjectFiles
    from twinforge.model.recipe_file import RecipeFile
    from twinforge.model.source import Source

__all__ = ["check_recipe"]


def check_recipe(source: Source[RecipeFile], name: str, files: ProjectFiles) -> Iterator[Problem]:
    """Yield the problems of a recipe whose fields were read.

    Args:
        source: The recipe, as far as it is right.
        name: The name of its file, without the suffix.
        files: The project's files.
    """
    file = source.file
    if source.sound("recipe") and file.recipe != name:
        message = f"the recipe is named {show_value(file.recipe)} and its file {show_value(name)}"
        yield source.problem(f"{message}; both must be the same", "recipe")
    yield from _check_packages(source)
    yield from check_runtime(source, files)
    if source.sound("template") and file.template:
        for message in files.text_problems(file.template):
            yield source.problem(message, "template")
    if source.sound("env"):
        yield from check_env(source, ("env",), file.env)
    if source.sound("smoke"):
        yield from check_smoke(source, ("smoke",), file.smoke, files)


def _check_packages(source: Source[RecipeFile]) -> Iterator[Problem]:
    file = source.file
    if source.sound("python"):
        yield from check_packages(source, ("python", "packages"), file.python.packages)
        yield from check_without(source, file.python.without, file.python.packages)
    if source.sound("system"):
        yield from check_system(source, ("system",), file.system)
    if source.sound("cuda"):
        yield from twice(source, ("cuda", "libraries"), file.cuda.libraries)
        if file.cuda.dev and not file.cuda.libraries:
            yield source.problem(
                "there are no libraries to have headers of", "cuda", "dev", key=True
            )
