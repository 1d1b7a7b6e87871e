"""What runs in an image: a program of the project's own, or the built-in runtime with its files."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from twinforge.yamlfile import show_value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twinforge.errors import Problem
    from twinforge.model.inside import ProjectFiles
    from twinforge.model.recipe_file import RecipeFile, RuntimePart
    from twinforge.model.source import Source

__all__ = ["check_runtime"]


def check_runtime(source: Source[RecipeFile], files: ProjectFiles) -> Iterator[Problem]:
    """Yield the problems of ``program`` and ``runtime``, of which a recipe has exactly one."""
    file = source.file
    if source.sound("program") and file.program:
        for message in files.program_problems(file.program):
            yield source.problem(message, "program")
    if source.sound("program", "runtime"):
        yield from _check_choice(source, files)


def _check_choice(source: Source[RecipeFile], files: ProjectFiles) -> Iterator[Problem]:
    file, part = source.file, source.file.runtime
    if part is not None and "program" in file.model_fields_set:
        message = "a recipe has a program or the runtime, not both"
        yield source.problem(message, "runtime", key=True)
    elif part is not None:
        yield from _check_part(source, part, files)
    elif "program" not in file.model_fields_set and not (file.extends or _has_misspelt(source)):
        message = "the key 'program' is missing, or 'runtime' in its place"
        yield source.problem(message)


def _check_part(
    source: Source[RecipeFile], part: RuntimePart, files: ProjectFiles
) -> Iterator[Problem]:
    paths = {key: path for key in ("predictor", "trainer") if (path := getattr(part, key))}
    if not paths:
        message = "a runtime needs a predictor, a trainer or both"
        yield source.problem(message, "runtime")
    folders = {key: str(PurePosixPath(path).parent) for key, path in paths.items()}
    is_right = True
    for key, path in paths.items():
        for message in files.source_problems(path):
            is_right = False
            yield source.problem(message, "runtime", key)
    if not is_right:
        return
    for folder in dict.fromkeys(folders.values()):
        for message in files.folder_of_sources_problems(folder):
            yield source.problem(message, "runtime")
    if len(set(folders.values())) > 1:
        message = (
            f"{show_value(paths['trainer'])} is not in the predictor's folder "
            f"{show_value(folders['predictor'])}, which is the one that goes into the image"
        )
        yield source.problem(message, "runtime", "trainer")


def _has_misspelt(source: Source[RecipeFile]) -> bool:
    """Whether there are keys that nobody knows; one of them can be meant for the missing one."""
    return bool(source.broken - type(source.file).model_fields.keys())
