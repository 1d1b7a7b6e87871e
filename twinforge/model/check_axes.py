"""Axes, those of the matrix and those of recipes: what their names and values may be."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from twinforge.model.alias import PLACEHOLDERS
from twinforge.model.suggest import known_or_close
from twinforge.model.variant import ARCH_AXIS, ARCHITECTURES
from twinforge.yamlfile import show_value

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from twinforge.errors import Problem
    from twinforge.model.matrix_file import MatrixFile
    from twinforge.model.recipe_file import RecipeFile
    from twinforge.model.source import Source

__all__ = ["REQUIRED_AXES", "RESERVED_AXES", "check_axes", "value_problem"]

REQUIRED_AXES = ("accelerator", "os", "python")
RESERVED_AXES = frozenset({"recipe", "sample", "when", *PLACEHOLDERS})


def check_axes(
    source: Source[MatrixFile] | Source[RecipeFile],
    axes: Mapping[str, Sequence[str]],
    accelerators: Sequence[str] | None,
) -> Iterator[Problem]:
    """Yield the problems of axes, which stand under the key ``axes``.

    Args:
        source: The file that they stand in.
        axes: The axes.
        accelerators: Those that the matrix declares; None if that is not known.
    """
    for name, values in axes.items():
        if name in RESERVED_AXES:
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
    for name in ("python", "accelerator", ARCH_AXIS):
        for index, value in enumerate(axes.get(name, ())):
            if message := value_problem(name, value, accelerators):
                yield source.problem(message, "axes", name, index)


def value_problem(axis: str, value: str, accelerators: Sequence[str] | None) -> str:
    """Return what is wrong with a value of an axis, or an empty text."""
    if axis == "python" and not re.fullmatch(r"3\.(?:0|[1-9][0-9]?)", value):
        return f'{show_value(value)} is not a version of Python (such as "3.11")'
    if axis == "accelerator" and accelerators is not None and value not in accelerators:
        close = known_or_close(value, accelerators)
        return f"the accelerator {show_value(value)} is not declared{close}"
    if axis == ARCH_AXIS and value not in ARCHITECTURES:
        close = known_or_close(value, ARCHITECTURES)
        return f"{show_value(value)} is no CPU architecture{close}"
    return ""
