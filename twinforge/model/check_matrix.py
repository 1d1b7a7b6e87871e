"""What a matrix's fields can't say one by one: names that must be known, and what goes together."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from twinforge.model.alias import PLACEHOLDERS, parse_braces
from twinforge.model.check_recipe import duplicate_apt
from twinforge.model.registries import check_registries
from twinforge.model.suggest import known_or_close
from twinforge.yamlfile import show_value

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from twinforge.errors import Problem
    from twinforge.model.files import BasePart, MatrixFile
    from twinforge.model.source import Source

__all__ = ["check_matrix"]

REQUIRED_AXES = ("accelerator", "os", "python")
_RESERVED_AXES = frozenset({"recipe", *PLACEHOLDERS})


def check_matrix(source: Source[MatrixFile], recipes: Sequence[str]) -> Iterator[Problem]:
    """Yield the problems of a matrix whose fields were read, but not those of its variants.

    Args:
        source: The matrix, as far as it is right.
        recipes: The names of all recipes, also of those that could not be read.
    """
    file = source.file
    if source.sound("bases"):
        if not file.bases:
            yield source.problem("there is no base; at least one is needed", "bases", key=True)
        for name, base in file.bases.items():
            yield from _check_base(source, name, base)
    if source.sound("accelerators"):
        for name, accelerator in file.accelerators.items():
            where = ("accelerators", name)
            if accelerator.cudnn and not accelerator.cuda:
                yield source.problem("cuDNN needs a version of CUDA", *where, "cudnn", key=True)
            yield from duplicate_apt(source, (*where, "packages"), accelerator.packages)
    if source.sound("axes"):
        yield from _check_axes(source)
        yield from _check_rules(source, recipes)
    if source.sound("aliases", "axes"):
        yield from _check_alias_tags(source)
    if source.sound("registry") and file.registry:
        yield from check_registries(source, recipes)


def _check_base(source: Source[MatrixFile], name: str, base: BasePart) -> Iterator[Problem]:
    where = ("bases", name)
    if (base.image is None) == (base.bootstrap is None):
        which = "neither is" if base.image is None else "both are"
        message = f"a base has either image or bootstrap; {which} given"
        yield source.problem(message, *where, key=True)
        return
    others = ("snapshot", "packages") if base.image is not None else ("cuda",)
    owner = "bootstrapped base" if base.image is not None else "base from an image"
    for key in others:
        if key in base.model_fields_set:
            message = f"{show_value(key)} belongs to a {owner}"
            yield source.problem(message, *where, key, key=True)
    yield from duplicate_apt(source, (*where, "packages"), base.packages)


def _check_axes(source: Source[MatrixFile]) -> Iterator[Problem]:
    axes = source.file.axes
    for name in REQUIRED_AXES:
        if name not in axes:
            yield source.problem(f"the axis {show_value(name)} is missing", "axes", key=True)
    for name, values in axes.items():
        if name in _RESERVED_AXES:
            message = (
                f"{show_value(name)} can't be an axis; it means something else in rules and tags"
            )
            yield source.problem(message, "axes", name, key=True)
        if not values:
            yield source.problem("an axis needs at least one value", "axes", name)
        for index, value in enumerate(values):
            if value in values[:index]:
                message = f"{show_value(value)} is listed twice"
                yield source.problem(message, "axes", name, index)
    yield from _check_axis_values(source)


def _check_axis_values(source: Source[MatrixFile]) -> Iterator[Problem]:
    axes = source.file.axes
    for index, value in enumerate(axes.get("python", ())):
        if not re.fullmatch(r"3\.(?:0|[1-9][0-9]?)", value):
            message = f'{show_value(value)} is not a version of Python (such as "3.11")'
            yield source.problem(message, "axes", "python", index)
    declared = source.document.node(("accelerators",))
    # an accelerator with a problem inside is declared all the same
    known = list(declared.keys) if declared else []
    for index, value in enumerate(axes.get("accelerator", ()) if declared else ()):
        if value not in known:
            message = f"the accelerator {show_value(value)} is not declared"
            message += known_or_close(value, known)
            yield source.problem(message, "axes", "accelerator", index)


def _check_rules(source: Source[MatrixFile], recipes: Sequence[str]) -> Iterator[Problem]:
    file = source.file
    if source.sound("exclude"):
        for index, rule in enumerate(file.exclude):
            yield from _check_rule(source, ("exclude", index), rule, recipes)
    if source.sound("groups"):
        for name, rule in file.groups.items():
            yield from _check_rule(source, ("groups", name), rule, recipes)
    if source.sound("aliases"):
        for tag, rule in file.aliases.items():
            yield from _check_rule(source, ("aliases", tag), rule, recipes)


def _check_rule(
    source: Source[MatrixFile],
    where: tuple[str | int, ...],
    rule: Mapping[str, str],
    recipes: Sequence[str],
) -> Iterator[Problem]:
    axes = source.file.axes
    if not rule and where[0] == "exclude":
        yield source.problem("the rule is empty and would exclude every variant", *where)
    for axis, value in rule.items():
        known = recipes if axis == "recipe" else axes.get(axis)
        if known is None:
            message = f"unknown axis {show_value(axis)}{known_or_close(axis, [*axes, 'recipe'])}"
            yield source.problem(message, *where, axis, key=True)
        elif value not in known:
            what = "the recipe" if axis == "recipe" else f"the axis {show_value(axis)} has no value"
            end = " does not exist" if axis == "recipe" else ""
            message = f"{what} {show_value(value)}{end}{known_or_close(value, known)}"
            yield source.problem(message, *where, axis)


def _check_alias_tags(source: Source[MatrixFile]) -> Iterator[Problem]:
    known = [*PLACEHOLDERS, *source.file.axes]
    for tag in source.file.aliases:
        names, rest = parse_braces(tag)
        for name in names:
            if name not in known:
                message = f"{show_value('{' + name + '}')} stands for nothing"
                message += known_or_close(name, known)
                yield source.problem(message, "aliases", tag, key=True)
        if not re.fullmatch(r"[A-Za-z0-9._-]*", rest):
            message = f"{show_value(tag)} can't become a tag ([A-Za-z0-9_][A-Za-z0-9._-]{{0,127}})"
            yield source.problem(message, "aliases", tag, key=True)
