"""The words that rules and conditions may use: names, and the values that each can have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from twinforge.model.suggest import known_or_close
from twinforge.yamlfile import show_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from twinforge.model.matrix_file import MatrixFile
    from twinforge.model.recipe_file import RecipeFile
    from twinforge.model.source import Source

__all__ = ["OF_ACCELERATOR", "Vocabulary", "read_vocabulary"]

OF_ACCELERATOR = ("kind", "cuda", "cudnn")


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What is declared anywhere in a project.

    Attributes:
        axes: Axes of the matrix and of recipes, with all values that a variant can have.
        derived: Derived axes, likewise.
        accelerators: ``kind``, ``cuda`` and ``cudnn``, likewise.
        recipes: All recipes, also those that could not be read.
        is_partial: Whether something is missing because its file is wrong: then what is not here
            may be declared all the same.
    """

    axes: Mapping[str, tuple[str, ...]]
    derived: Mapping[str, tuple[str, ...]]
    accelerators: Mapping[str, tuple[str, ...]]
    recipes: tuple[str, ...]
    is_partial: bool

    @property
    def of_rules(self) -> dict[str, tuple[str, ...]]:
        """What a rule's keys may be."""
        return {**self.axes, **self.derived, "recipe": self.recipes}

    @property
    def of_conditions(self) -> dict[str, tuple[str, ...]]:
        """What a condition may name; an axis that is called ``cuda`` means itself."""
        return {**self.accelerators, **self.of_rules}

    def unknown_name(self, name: str, known: Iterable[str]) -> str:
        """Return the message for a name that is none."""
        return f"unknown axis {show_value(name)}{known_or_close(name, known)}"

    def unknown_value(self, name: str, value: str, known: Sequence[str]) -> str:
        """Return the message for a value that no variant can have."""
        shown = show_value(value)
        if name == "recipe":
            message = f"the recipe {shown} does not exist"
        elif name not in self.axes and name not in self.derived:
            message = f"no accelerator has {name} {shown}"
        else:
            message = f"the axis {show_value(name)} has no value {shown}"
        return f"{message}{known_or_close(value, known)}"


def read_vocabulary(
    matrix: Source[MatrixFile], recipes: Mapping[str, Source[RecipeFile] | None]
) -> Vocabulary:
    """Return the words of a project, as far as its files are right."""
    axes: dict[str, dict[str, None]] = {}
    file = matrix.file
    if matrix.sound("axes"):
        for name, values in file.axes.items():
            axes.setdefault(name, {}).update(dict.fromkeys(values))
    for source in recipes.values():
        if source is not None and source.sound("axes"):
            for name, values in source.file.axes.items():
                axes.setdefault(name, {}).update(dict.fromkeys(values))
    for rule in file.include if matrix.sound("include") else ():
        for name, value in rule.items():
            if name in axes:
                axes[name][value] = None
    derived: dict[str, tuple[str, ...]] = {}
    for name, part in (file.derive if matrix.sound("derive") else {}).items():
        default = [] if part.default is None else [part.default]
        derived[name] = tuple(dict.fromkeys([*part.values.values(), *default]))
    parts = file.accelerators.values() if matrix.sound("accelerators") else ()
    cuda = tuple(dict.fromkeys(part.cuda for part in parts if part.cuda))
    cudnn = tuple(dict.fromkeys(part.cudnn for part in parts if part.cudnn))
    return Vocabulary(
        {name: tuple(values) for name, values in axes.items()},
        derived,
        {"kind": ("cpu", "cuda"), "cuda": cuda, "cudnn": cudnn},
        tuple(recipes),
        is_partial=not matrix.sound("axes", "accelerators", "derive", "include")
        or any(source is not None and not source.sound("axes") for source in recipes.values()),
    )
