"""Rules, conditions, derived axes and overrides: they speak of what is declared, and of nothing else."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from twinforge.errors import Problem
from twinforge.model.check_axes import RESERVED_AXES, value_problem
from twinforge.model.check_parts import (
    check_env,
    check_packages,
    check_smoke,
    check_system,
    twice,
)
from twinforge.model.condition import (
    ORDERINGS,
    ConditionError,
    as_version,
    compares,
    comparisons,
    parse_condition,
)
from twinforge.model.recipe_file import ConditionalPart, TwinPart
from twinforge.model.suggest import known_or_close
from twinforge.yamlfile import show_value, show_where

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from twinforge.model.condition import Comparison
    from twinforge.model.inside import ProjectFiles
    from twinforge.model.matrix_file import DerivePart, MatrixFile
    from twinforge.model.recipe_file import OverridePart, RecipeFile
    from twinforge.model.source import Source
    from twinforge.model.vocabulary import Vocabulary
    from twinforge.yamlfile import Where

    AnySource = Source[RecipeFile] | Source[MatrixFile]

__all__ = ["SAMPLES", "check_condition", "check_overrides", "check_recipe_rules", "check_rules"]

SAMPLES = ("pairwise",)


def check_rules(
    source: Source[MatrixFile],
    vocabulary: Vocabulary,
    files: ProjectFiles,
    accelerators: Sequence[str] | None,
) -> Iterator[Problem]:
    """Yield the problems of all that the matrix says of some variants."""
    file = source.file
    if source.sound("derive"):
        yield from _check_derived(source, vocabulary)
    if source.sound("include"):
        for index in range(len(file.include)):
            yield from _check_include(source, index, vocabulary, accelerators)
    for where, rule in _rules(source):
        yield from _check_rule(source, where, rule, vocabulary)
    if source.sound("overrides"):
        yield from check_overrides(source, file.overrides, vocabulary, files)


def _rules(source: Source[MatrixFile]) -> Iterator[tuple[Where, Mapping[str, str]]]:
    file = source.file
    if source.sound("exclude"):
        yield from ((("exclude", index), rule) for index, rule in enumerate(file.exclude))
    if source.sound("groups"):
        yield from ((("groups", name), rule) for name, rule in file.groups.items())
    if source.sound("aliases"):
        yield from ((("aliases", tag), rule) for tag, rule in file.aliases.items())
    if source.sound("serves"):
        for use, instances in file.serves.items():
            yield from ((("serves", use, name), rule) for name, rule in instances.items())


def check_recipe_rules(
    source: Source[RecipeFile], vocabulary: Vocabulary, files: ProjectFiles
) -> Iterator[Problem]:
    """Yield the problems of what a recipe says of some of its variants."""
    file = source.file
    if source.sound("python"):
        for index, part in enumerate(file.python.packages):
            if isinstance(part, ConditionalPart | TwinPart) and "when" in part.model_fields_set:
                where = ("python", "packages", index, "when")
                yield from check_condition(source, where, vocabulary)
    if source.sound("shelved"):
        for index, shelf in enumerate(file.shelved):
            if shelf.when:
                yield from check_condition(source, ("shelved", index, "when"), vocabulary)
    if source.sound("overrides"):
        yield from check_overrides(source, file.overrides, vocabulary, files)


def check_overrides(
    source: AnySource,
    overrides: Sequence[OverridePart],
    vocabulary: Vocabulary,
    files: ProjectFiles,
) -> Iterator[Problem]:
    """Yield the problems of overrides, which stand under the key ``overrides``."""
    for index, part in enumerate(overrides):
        where = ("overrides", index)
        if part.model_fields_set == {"when"}:
            yield source.problem("the override changes nothing", *where)
        yield from check_condition(source, (*where, "when"), vocabulary)
        yield from check_env(source, (*where, "env"), part.env)
        packages = (*where, "python", "packages")
        yield from check_packages(source, packages, part.python.packages)
        for number, package in enumerate(part.python.packages):
            if isinstance(package, ConditionalPart | TwinPart) and package.when:
                message = "the override has a condition already; make it two overrides"
                yield source.problem(message, *packages, number, "when", key=True)
        yield from check_system(source, (*where, "system"), part.system)
        yield from twice(source, (*where, "cuda", "libraries"), part.cuda.libraries)
        if "cuda" in part.model_fields_set and not part.cuda.model_fields_set:
            yield source.problem("it changes nothing", *where, "cuda", key=True)
        yield from check_smoke(source, (*where, "smoke"), part.smoke, files)


def check_condition(source: AnySource, where: Where, vocabulary: Vocabulary) -> Iterator[Problem]:
    """Yield the problems of a condition, each at its character."""
    node = source.document.node(where)
    text = node.text if node else ""

    def problem(message: str, offset: int) -> Problem:
        line, column = source.document.position_inside(where, offset)
        return Problem(source.document.path, line, column, show_where(where), message)

    try:
        condition = parse_condition(text)
    except ConditionError as error:
        yield problem(str(error), error.offset)
        return
    known = vocabulary.of_conditions
    for comparison in comparisons(condition):
        if comparison.name in known:
            for message, offset in _check_literals(comparison, known, vocabulary):
                yield problem(message, offset)
        elif not vocabulary.is_partial:
            yield problem(vocabulary.unknown_name(comparison.name, known), comparison.offset)


def _check_literals(
    comparison: Comparison, known: Mapping[str, Sequence[str]], vocabulary: Vocabulary
) -> Iterator[tuple[str, int]]:
    name, values = comparison.name, known[comparison.name]
    for literal in comparison.literals:
        if comparison.operator in ORDERINGS:
            if as_version(literal.text) is None:
                message = f"{show_value(literal.text)} is not a version (PEP 440, such as 12.4)"
                yield f"{message}; {comparison.operator} compares versions", literal.offset
            elif not vocabulary.is_partial and all(as_version(value) is None for value in values):
                message = f"{show_value(name)} has no value that is a version"
                yield f"{message}; {comparison.operator} compares versions", comparison.offset
        elif not vocabulary.is_partial and not any(
            compares("==", value, literal.text) for value in values
        ):
            yield vocabulary.unknown_value(name, literal.text, values), literal.offset


def _check_rule(
    source: Source[MatrixFile], where: Where, rule: Mapping[str, str], vocabulary: Vocabulary
) -> Iterator[Problem]:
    if not rule and where[0] == "exclude":
        yield source.problem("the rule is empty and would exclude every variant", *where)
    words = vocabulary.of_rules
    names = [*vocabulary.axes, *vocabulary.derived, "recipe"]
    for axis, value in rule.items():
        known = words.get(axis)
        if axis == "when":
            yield from check_condition(source, (*where, axis), vocabulary)
        elif axis == "sample" and where[0] == "groups":
            if value not in SAMPLES:
                message = f"{show_value(value)} is not a way to sample"
                yield source.problem(message + known_or_close(value, SAMPLES), *where, axis)
        elif vocabulary.is_partial:
            continue
        elif known is None:
            yield source.problem(vocabulary.unknown_name(axis, names), *where, axis, key=True)
        elif value not in known:
            yield source.problem(vocabulary.unknown_value(axis, value, known), *where, axis)


def _check_include(
    source: Source[MatrixFile],
    index: int,
    vocabulary: Vocabulary,
    accelerators: Sequence[str] | None,
) -> Iterator[Problem]:
    where, rule = ("include", index), source.file.include[index]
    if not rule:
        yield source.problem("the rule is empty and would include nothing new", *where)
    for axis, value in rule.items():
        if axis in vocabulary.derived:
            message = f"{show_value(axis)} follows from other axes; it can't be included"
            yield source.problem(message, *where, axis, key=True)
        elif message := value_problem(axis, value, accelerators):
            yield source.problem(message, *where, axis)
        elif axis in vocabulary.axes and not _is_value(value):
            message = f"{show_value(value)} is not a value of an axis ([A-Za-z0-9][A-Za-z0-9._-]*)"
            yield source.problem(message, *where, axis)
    plain = {axis: value for axis, value in rule.items() if axis not in vocabulary.derived}
    yield from _check_rule(source, where, plain, vocabulary)


def _check_derived(source: Source[MatrixFile], vocabulary: Vocabulary) -> Iterator[Problem]:
    known = dict(vocabulary.axes)
    for name, part in source.file.derive.items():
        where = ("derive", name)
        if name in RESERVED_AXES or name in vocabulary.axes:
            what = "is an axis already" if name in vocabulary.axes else "means something else"
            yield source.problem(f"{show_value(name)} {what}", *where, key=True)
        if not part.sources:
            yield source.problem("an axis to derive it from is needed", *where, "from")
        unknown = [axis for axis in part.sources if axis not in known]
        if vocabulary.is_partial:
            continue
        for axis in unknown:
            message = vocabulary.unknown_name(axis, known)
            index = part.sources.index(axis)
            is_list = source.document.node((*where, "from", index)) is not None
            yield source.problem(message, *where, "from", *([index] if is_list else []))
        if not unknown and not vocabulary.is_partial:
            yield from _check_map(source, name, part, known)
        known.setdefault(name, vocabulary.derived[name])


def _check_map(
    source: Source[MatrixFile], name: str, part: DerivePart, known: Mapping[str, Sequence[str]]
) -> Iterator[Problem]:
    for key in part.values:
        where = ("derive", name, "map", key)
        values = key.split("/")
        if len(values) != len(part.sources):
            axes = "/".join(part.sources)
            message = f"{show_value(key)} is not one value of each of {show_value(axes)}"
            yield source.problem(message, *where, key=True)
            continue
        for axis, value in zip(part.sources, values, strict=True):
            if value not in known[axis]:
                message = f"the axis {show_value(axis)} has no value {show_value(value)}"
                close = known_or_close(value, known[axis])
                yield source.problem(message + close, *where, key=True)


def _is_value(text: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", text) is not None
