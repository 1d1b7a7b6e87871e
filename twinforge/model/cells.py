"""From axes to cells: the product in declared order, less what is excluded, and what is included."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from twinforge.model.rules import applies, derive_values
from twinforge.model.variant import Excluded, words_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from twinforge.model.matrix import Accelerator, Axis, Derived, Matrix, Rule
    from twinforge.model.recipe import Override, Shelf

__all__ = ["Cell", "Cells", "Family", "Values"]

Values: TypeAlias = "tuple[tuple[str, str], ...]"


@dataclass(frozen=True, slots=True)
class Family:
    """What of a recipe decides its variants. ``axes`` are all that it has, the matrix's first."""

    name: str
    version: str
    axes: tuple[Axis, ...]
    overrides: tuple[Override, ...] = ()
    shelves: tuple[Shelf, ...] = ()

    @property
    def size(self) -> int:
        """How many cells its axes have."""
        count = 1
        for axis in self.axes:
            count *= len(axis.values)
        return count


@dataclass(frozen=True, slots=True)
class Cell:
    """One value per axis of a recipe, what follows from them, and all that rules know it by."""

    values: Values
    derived: Values
    accelerator: Accelerator
    words: Mapping[str, str]


@dataclass(slots=True)
class Cells:
    """Makes the cells of one recipe after the other, and remembers which rules had an effect.

    Attributes:
        matrix: The matrix.
        excludes: Indices of the rules that excluded something.
        includes: Indices of the rules that included something.
        excluded: The cells that are left out, in declared order.
        underivable: Derived axes without a value, with the key that is missing in their map.
    """

    matrix: Matrix
    excludes: set[int] = field(default_factory=set)
    includes: set[int] = field(default_factory=set)
    excluded: list[Excluded] = field(default_factory=list)
    underivable: dict[tuple[str, str], Derived] = field(default_factory=dict)
    _accelerators: dict[str, Accelerator] = field(init=False)

    def __post_init__(self) -> None:
        self._accelerators = {a.name: a for a in self.matrix.accelerators}

    def of(self, family: Family) -> list[Cell]:
        """Return the cells of a recipe: those of its axes first, then what is included."""
        kept: dict[Values, Cell] = {}
        excluded: dict[Values, int] = {}
        for values in _product(family.axes, {}):
            cell = self._cell(family.name, values)
            index = self._excluding(cell)
            if index is None:
                kept[values] = cell
            else:
                excluded[values] = index
        for values, cell in self._included(family, kept):
            kept[values] = cell
            excluded.pop(values, None)
        self.excluded += [
            Excluded(family.name, values, self.matrix.excludes[index].place)
            for values, index in excluded.items()
        ]
        for cell in kept.values() if self.matrix.derived else ():
            self._check_derived(cell)
        return list(kept.values())

    def matches_excluded(self, rule: Rule) -> bool:
        """Return whether a rule applies to a cell that another one excludes."""
        cells = (self._cell(cell.recipe, cell.values) for cell in self.excluded)
        return any(applies(rule, cell.words) for cell in cells)

    def _included(
        self, family: Family, kept: Mapping[Values, Cell]
    ) -> Iterator[tuple[Values, Cell]]:
        names = {axis.name for axis in family.axes}
        for index, rule in enumerate(self.matrix.includes):
            wanted = {name: value for name, value in rule.values.items() if name != "recipe"}
            if rule.values.get("recipe", family.name) != family.name or not names >= set(wanted):
                continue
            for values in _product(family.axes, wanted):
                if values in kept:
                    continue
                cell = self._cell(family.name, values)
                if applies(rule, cell.words):
                    self.includes.add(index)
                    yield values, cell

    def _cell(self, recipe: str, values: Values) -> Cell:
        accelerator = self._accelerators[dict(values)["accelerator"]]
        words = words_of(recipe, values, accelerator)
        derived: Values = ()
        if self.matrix.derived:
            derived, _ = derive_values(self.matrix.derived, words)
            words.update(derived)
        return Cell(values, derived, accelerator, words)

    def _excluding(self, cell: Cell) -> int | None:
        for index, rule in enumerate(self.matrix.excludes):
            if applies(rule, cell.words):
                self.excludes.add(index)
                return index
        return None

    def _check_derived(self, cell: Cell) -> None:
        for one, key in derive_values(self.matrix.derived, cell.words)[1]:
            self.underivable.setdefault((one.name, key), one)


def _product(axes: Sequence[Axis], wanted: Mapping[str, str]) -> Iterator[Values]:
    pairs = [
        [
            (axis.name, value)
            for value in ([wanted[axis.name]] if axis.name in wanted else axis.values)
        ]
        for axis in axes
    ]
    return itertools.product(*pairs)
