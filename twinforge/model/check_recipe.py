"""What a recipe's fields can't say one by one: its name, its files, twins and duplicates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from twinforge.model.fields import parse_apt_package
from twinforge.model.files import TwinPart
from twinforge.model.suggest import known_or_close
from twinforge.yamlfile import show_value

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from twinforge.errors import Problem
    from twinforge.model.files import MatrixFile, RecipeFile
    from twinforge.model.inside import ProjectFiles
    from twinforge.model.source import Source

__all__ = ["check_recipe", "duplicate_apt"]

KINDS = ("cpu", "cuda")


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
    if source.sound("python"):
        yield from _check_packages(source)
    if source.sound("system"):
        yield from duplicate_apt(source, ("system", "packages"), file.system.packages)
        yield from duplicate_apt(
            source, ("system", "cuda"), file.system.cuda, before=file.system.packages
        )
    if source.sound("program"):
        for message in files.program_problems(file.program):
            yield source.problem(message, "program")
    if source.sound("template") and file.template:
        for message in files.file_problems(file.template):
            yield source.problem(message, "template")
    if source.sound("env") and "PATH" in file.env:
        message = (
            "PATH is not the recipe's to set: the program and the interpreter come first in it"
        )
        yield source.problem(message, "env", "PATH")
    if source.sound("smoke"):
        yield from _check_smoke(source, files)


def duplicate_apt(
    source: Source[RecipeFile] | Source[MatrixFile],
    where: tuple[str, ...],
    packages: Sequence[str],
    *,
    before: Sequence[str] = (),
) -> Iterator[Problem]:
    """Yield a problem for each Debian package that a list (or the one before it) names already."""
    seen = {parse_apt_package(package)[0] for package in before}
    for index, package in enumerate(packages):
        name = parse_apt_package(package)[0]
        if name in seen:
            yield source.problem(f"{show_value(name)} is listed twice", *where, index)
        seen.add(name)


def _check_packages(source: Source[RecipeFile]) -> Iterator[Problem]:
    seen: dict[str, bool] = {}
    for index, part in enumerate(source.file.python.packages):
        where = ("python", "packages", index)
        if isinstance(part, TwinPart):
            yield from _check_twin(source, part, where)
            names = {canonicalize_name(Requirement(name).name) for name in part.twin.values()}
            has_marker = False
        else:
            requirement = Requirement(part)
            names = {canonicalize_name(requirement.name)}
            has_marker = requirement.marker is not None
        for name in sorted(names):
            # two lines with markers are how one says "this version there, that version here"
            if name in seen and not (has_marker and seen[name]):
                yield source.problem(f"{show_value(name)} is listed twice", *where)
            seen[name] = has_marker


def _check_twin(
    source: Source[RecipeFile], part: TwinPart, where: tuple[str | int, ...]
) -> Iterator[Problem]:
    for kind in part.twin:
        if kind not in KINDS:
            message = f"{show_value(kind)} is not a kind of accelerator"
            message += known_or_close(kind, KINDS)
            yield source.problem(message, *where, "twin", kind, key=True)
    missing = [kind for kind in KINDS if kind not in part.twin]
    if missing and not set(part.twin) - set(KINDS):
        yield source.problem(f"the key {show_value(missing[0])} is missing", *where, "twin")
    distributions = [_identity(name) for name in part.twin.values()]
    if len(set(distributions)) < len(distributions):
        name = next(iter(part.twin.values()))
        message = f"{show_value(name)} stands on both sides; a twin names two distributions"
        yield source.problem(message, *where, "twin")


def _identity(name: str) -> tuple[str, frozenset[str]]:
    requirement = Requirement(name)
    return canonicalize_name(requirement.name), frozenset(requirement.extras)


def _check_smoke(source: Source[RecipeFile], files: ProjectFiles) -> Iterator[Problem]:
    smoke = source.file.smoke
    if smoke.train:
        for channel, path in smoke.train.channels.items():
            for message in files.folder_problems(path):
                yield source.problem(message, "smoke", "train", "channels", channel)
    for index, invocation in enumerate(smoke.invocations):
        where = ("smoke", "invocations", index)
        for message in files.file_problems(invocation.body):
            yield source.problem(message, *where, "body")
        if invocation.labels:
            for message in files.file_problems(invocation.labels):
                yield source.problem(message, *where, "labels")
        elif "accuracy" in invocation.model_fields_set:
            message = "an accuracy needs labels to compare the answer with"
            yield source.problem(message, *where, "accuracy", key=True)
