"""Parts that recipes and overrides have in common: packages, twins, duplicates, smoke files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from twinforge.model.fields import parse_apt_package
from twinforge.model.recipe_file import ConditionalPart, TwinPart
from twinforge.model.suggest import known_or_close
from twinforge.yamlfile import show_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from twinforge.errors import Problem
    from twinforge.model.inside import ProjectFiles
    from twinforge.model.matrix_file import MatrixFile
    from twinforge.model.recipe_file import RecipeFile, SystemPart
    from twinforge.model.smoke_file import SmokePart
    from twinforge.model.source import Source
    from twinforge.yamlfile import Where

    AnySource = Source[RecipeFile] | Source[MatrixFile]

__all__ = [
    "check_env",
    "check_packages",
    "check_smoke",
    "check_system",
    "check_without",
    "duplicate_apt",
    "twice",
]

KINDS = ("cpu", "cuda")


def check_system(source: AnySource, where: Where, part: SystemPart) -> Iterator[Problem]:
    """Yield the problems of lists of Debian packages."""
    yield from duplicate_apt(source, (*where, "packages"), part.packages)
    yield from duplicate_apt(source, (*where, "cuda"), part.cuda, before=part.packages)


def duplicate_apt(
    source: AnySource,
    where: Where,
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


def twice(source: AnySource, where: Where, names: Sequence[str]) -> Iterator[Problem]:
    """Yield a problem for each name that a list holds already."""
    for index, name in enumerate(names):
        if name in names[:index]:
            yield source.problem(f"{show_value(name)} is listed twice", *where, index)


def check_without(
    source: AnySource, without: Iterable[str], packages: Sequence[str | ConditionalPart | TwinPart]
) -> Iterator[Problem]:
    """Yield a problem for a package that stays out and is asked for all the same."""
    asked = {canonicalize_name(name) for part in packages for name in _names(part)}
    for name in without:
        if canonicalize_name(name) in asked:
            message = (
                f"{show_value(name)} is asked for under python.packages; it can't stay out too"
            )
            yield source.problem(message, "python", "without", name, key=True)


def _names(part: str | ConditionalPart | TwinPart) -> list[str]:
    if isinstance(part, TwinPart):
        return [Requirement(name).name for name in part.twin.values()]
    return [Requirement(part.package if isinstance(part, ConditionalPart) else part).name]


def check_env(source: AnySource, where: Where, env: Mapping[str, str]) -> Iterator[Problem]:
    """Yield a problem for a variable that is not the recipe's to set."""
    if "PATH" in env:
        message = (
            "PATH is not the recipe's to set: the program and the interpreter come first in it"
        )
        yield source.problem(message, *where, "PATH")


def check_packages(
    source: AnySource, where: Where, packages: Sequence[str | ConditionalPart | TwinPart]
) -> Iterator[Problem]:
    """Yield the problems of a list of Python packages, apart from their conditions."""
    seen: dict[str, bool] = {}
    for index, part in enumerate(packages):
        here = (*where, index)
        if isinstance(part, TwinPart):
            yield from _check_twin(source, part, here)
            names = {canonicalize_name(Requirement(name).name) for name in part.twin.values()}
            is_for_some = bool(part.when)
        else:
            when = part.when if isinstance(part, ConditionalPart) else ""
            requirement = Requirement(part.package if isinstance(part, ConditionalPart) else part)
            names = {canonicalize_name(requirement.name)}
            is_for_some = bool(when) or requirement.marker is not None
        for name in sorted(names):
            # two lines with markers are how one says "this version there, that version here"
            if name in seen and not (is_for_some and seen[name]):
                yield source.problem(f"{show_value(name)} is listed twice", *here)
            seen[name] = is_for_some


def check_smoke(
    source: AnySource, where: Where, smoke: SmokePart, files: ProjectFiles
) -> Iterator[Problem]:
    """Yield the problems of checks: files that are not there, and what goes together."""
    if smoke.train:
        for channel, path in smoke.train.channels.items():
            for message in files.folder_problems(path):
                yield source.problem(message, *where, "train", "channels", channel)
    for index, invocation in enumerate(smoke.invocations):
        here = (*where, "invocations", index)
        for message in files.file_problems(invocation.body):
            yield source.problem(message, *here, "body")
        if invocation.labels:
            for message in files.file_problems(invocation.labels):
                yield source.problem(message, *here, "labels")
        elif "accuracy" in invocation.model_fields_set:
            message = "an accuracy needs labels to compare the answer with"
            yield source.problem(message, *here, "accuracy", key=True)

    yield from _check_commands(source, where, smoke)


def _check_commands(source: AnySource, where: Where, smoke: SmokePart) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, command in enumerate(smoke.commands):
        here = (*where, "commands", index)
        if not command.run:
            yield source.problem("a command names a program", *here, "run")
        if command.name in seen:
            yield source.problem(f"{show_value(command.name)} is listed twice", *here, "name")
        seen.add(command.name)


def _check_twin(source: AnySource, part: TwinPart, where: Where) -> Iterator[Problem]:
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
