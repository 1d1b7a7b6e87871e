"""From cells to variants: each with its base and its overrides, and every rule with an effect."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from twinforge.errors import Problem
from twinforge.model.cells import Cell, Cells, Family
from twinforge.model.matrix import Bootstrap
from twinforge.model.naming import Naming
from twinforge.model.rules import applies
from twinforge.model.suggest import known_or_close
from twinforge.model.variant import ARCH_AXIS, ARCHITECTURES, Excluded, Variant, slug_of
from twinforge.yamlfile import show_value, show_where

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from twinforge.model.matrix import Base, Matrix
    from twinforge.model.place import Place
    from twinforge.model.recipe import Override, Shelf

__all__ = ["MAX_VARIANTS", "Expansion", "Family", "expand_variants"]

MAX_VARIANTS = 100_000
"""More than anybody builds; a slip of the pen in ten axes would take all memory instead."""


@dataclass(frozen=True, slots=True)
class Expansion:
    """The variants of a matrix, what is excluded or shelved, and what stands in the way of them."""

    variants: tuple[Variant, ...]
    excluded: tuple[Excluded, ...]
    problems: tuple[Problem, ...]
    shelved: tuple[Variant, ...] = ()


def expand_variants(families: Sequence[Family], matrix: Matrix) -> Expansion:
    """Expand a matrix whose rules name only what exists.

    Args:
        families: The recipes, in the order that the variants shall have.
        matrix: The matrix.
    """
    run = _Run(matrix)
    size = sum(family.size for family in families)
    if size > MAX_VARIANTS:
        message = f"the axes give {size} variants; {MAX_VARIANTS} are allowed"
        run.report(matrix.axes[0].place, ("axes",), message)
        return Expansion((), (), tuple(run.problems))
    variants = [variant for family in families for variant in run.variants(family)]
    run.check_rules(families)
    by_name = {family.name: family for family in families}
    naming = Naming(matrix, by_name, run.words, run.report, is_whole=not run.baseless)
    naming.check_tags(variants)
    if not variants and families:
        run.report(matrix.axes[0].place, ("axes",), "every variant is excluded; none is left")
    aliased = tuple(naming.with_aliases(variants))
    return Expansion(
        tuple(variant for variant in aliased if variant.shelf is None),
        tuple(run.cells.excluded),
        tuple(run.problems),
        tuple(variant for variant in aliased if variant.shelf is not None),
    )


@dataclass(slots=True)
class _Run:
    matrix: Matrix
    problems: list[Problem] = field(default_factory=list)
    words: list[Mapping[str, str]] = field(default_factory=list)
    baseless: set[tuple[str, str]] = field(default_factory=set)
    cells: Cells = field(init=False)
    _bases: dict[tuple[str, str], Base] = field(init=False)
    _overridden: set[int] = field(default_factory=set)
    _with_cuda: set[int] = field(default_factory=set)
    _shelved: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.cells = Cells(self.matrix)
        self._bases = {(base.os, base.cuda): base for base in self.matrix.bases}

    def report(self, place: Place, where: tuple[str | int, ...], message: str) -> None:
        """Note a problem."""
        problem = Problem(place.path, place.line, place.column, show_where(where), message)
        self.problems.append(problem)

    def variants(self, family: Family) -> Iterator[Variant]:
        """Yield the variants of one recipe, without aliases."""
        overrides = (*self.matrix.overrides, *family.overrides)
        for cell in self.cells.of(family):
            values = dict(cell.values)
            os, cuda = values["os"], cell.accelerator.cuda
            base = self._bases.get((os, cuda)) or self._bases.get((os, ""))
            if base is None:
                self._report_baseless(family, cell, os)
                continue
            if isinstance(base.source, Bootstrap) and values.get(ARCH_AXIS) in ARCHITECTURES[1:]:
                self._report_foreign(family, cell, base)
                continue
            self.words.append(cell.words)
            yield Variant(
                family.name,
                family.version,
                cell.values,
                cell.accelerator,
                base,
                values["python"],
                derived=cell.derived,
                overrides=self._applying(overrides, cell) if overrides else (),
                shelf=self._shelf(family.shelves, cell),
            )

    def check_rules(self, families: Sequence[Family]) -> None:
        """Report rules that change nothing."""
        for index, rule in enumerate(self.matrix.excludes):
            if index not in self.cells.excludes:
                is_late = self.cells.matches_excluded(rule)
                why = (
                    "rules before it exclude all that it matches"
                    if is_late
                    else "no variant is like that"
                )
                message = f"excludes nothing; {why}"
                self.report(rule.place, ("exclude", index), message)
        for index, rule in enumerate(self.matrix.includes):
            if index not in self.cells.includes:
                message = "includes nothing that is not there already"
                self.report(rule.place, ("include", index), message)
        for (name, key), derived in self.cells.underivable.items():
            message = f"there is no value for {show_value(key)}; add it to the map, or a default"
            self.report(derived.place, ("derive", name), message)
        if self.baseless:
            # variants are missing for another reason, which is told already
            return
        self._check_selections(families)

    def _check_selections(self, families: Sequence[Family]) -> None:
        """Report groups, overrides and served instance types without a variant."""
        for name, group in self.matrix.groups.items():
            if not any(applies(group, words) for words in self.words):
                self.report(group.place, ("groups", name), "the group matches no variant")
        for served in self.matrix.serves:
            if not any(applies(served, words) for words in self.words):
                where = ("serves", served.use, served.instance)
                self.report(served.place, where, "no variant matches, so that none serves it")
        declared = [*self.matrix.overrides, *(o for one in families for o in one.overrides)]
        for override in dict.fromkeys(declared):
            if id(override) not in self._overridden:
                message = "the condition matches no variant"
                self.report(override.rule.place, override.where, message)
            elif override.cuda is not None and id(override) not in self._with_cuda:
                message = "the condition matches CPU variants only, which get no libraries of CUDA"
                self.report(override.cuda.place, (*override.where, "cuda"), message)
        for shelf in dict.fromkeys(shelf for one in families for shelf in one.shelves):
            if id(shelf) not in self._shelved:
                message = "the condition matches no variant that is not shelved already"
                self.report(shelf.rule.place, shelf.where, message)

    def _applying(self, overrides: Sequence[Override], cell: Cell) -> tuple[Override, ...]:
        found = tuple([one for one in overrides if applies(one.rule, cell.words)])
        self._overridden.update(map(id, found))
        if cell.accelerator.cuda:
            self._with_cuda.update(map(id, found))
        return found

    def _shelf(self, shelves: Sequence[Shelf], cell: Cell) -> Shelf | None:
        """Return the first shelf that a cell is on."""
        for shelf in shelves:
            if applies(shelf.rule, cell.words):
                self._shelved.add(id(shelf))
                return shelf
        return None

    def _report_foreign(self, family: Family, cell: Cell, base: Base) -> None:
        arch = dict(cell.values)[ARCH_AXIS]
        if (base.os, arch) in self.baseless:
            return
        self.baseless.add((base.os, arch))
        name = f"{family.name}/{slug_of(cell.values)}"
        message = (
            f"a bootstrapped base is for {ARCHITECTURES[0]} only, and {show_value(name)} would stand "
            f"on it; give it a base with an image, or exclude {arch} on os {show_value(base.os)}"
        )
        self.report(base.place, ("bases", base.name), message)

    def _report_baseless(self, family: Family, cell: Cell, os: str) -> None:
        cuda = cell.accelerator.cuda
        if (os, cuda) in self.baseless:
            return
        self.baseless.add((os, cuda))
        axis = next(axis for axis in family.axes if axis.name == "os")
        wanted = f"os {show_value(os)}"
        if cuda:
            wanted += f" and either CUDA {cuda} or none"
        name = f"{family.name}/{slug_of(cell.values)}"
        message = f"{show_value(name)} has no base; it needs one with {wanted}"
        message += known_or_close(os, [base.os for base in self.matrix.bases])
        self.report(axis.place, ("axes", "os"), message)
