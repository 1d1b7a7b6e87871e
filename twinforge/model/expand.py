"""From axes to variants: the product in declared order, less what is excluded."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

from twinforge.errors import Problem
from twinforge.model.alias import expand_alias, release_values
from twinforge.model.reference import TAG
from twinforge.model.suggest import known_or_close
from twinforge.model.variant import Variant
from twinforge.yamlfile import show_value, show_where

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from twinforge.model.matrix import Accelerator, Alias, Base, Matrix, Rule
    from twinforge.model.place import Place

__all__ = ["Expansion", "expand_variants"]

_LONGEST_TAG = 128
# what tags of a content key look like: no alias may be mistaken for one
_CONTENT_TAG = re.compile(r"key-[0-9a-f]{16}")

_Cell: TypeAlias = "tuple[tuple[str, str], ...]"


@dataclass(frozen=True, slots=True)
class Expansion:
    """The variants of a matrix, and what stands in the way of using them."""

    variants: tuple[Variant, ...]
    problems: tuple[Problem, ...]


def expand_variants(releases: Sequence[tuple[str, str]], matrix: Matrix) -> Expansion:
    """Expand a matrix whose rules name only what exists.

    Args:
        releases: Name and version of each recipe, in the order that the variants shall have.
        matrix: The matrix.
    """
    run = _Run(matrix)
    variants = [
        variant for name, version in releases for variant in run.recipe_variants(name, version)
    ]
    run.check_rules(variants)
    run.check_tags(variants)
    if not variants and releases:
        run.report(matrix.axes[0].place, ("axes",), "every variant is excluded; none is left")
    aliased = run.with_aliases(variants, dict(releases))
    return Expansion(tuple(aliased), tuple(run.problems))


@dataclass(slots=True)
class _Condition:
    """A rule, ready to be asked often: positions in a cell and the pair that must stand there."""

    recipe: str
    pairs: tuple[tuple[int, tuple[str, str]], ...]

    def holds(self, recipe: str, cell: _Cell) -> bool:
        if self.recipe and self.recipe != recipe:
            return False
        return all(cell[index] == pair for index, pair in self.pairs)


@dataclass(slots=True)
class _Run:
    matrix: Matrix
    problems: list[Problem] = field(default_factory=list)
    _cells: list[_Cell] = field(init=False)
    _excludes: list[_Condition] = field(init=False)
    _used: set[int] = field(default_factory=set)
    _accelerators: dict[str, Accelerator] = field(init=False)
    _bases: dict[tuple[str, str], Base] = field(init=False)
    _baseless: set[tuple[str, str]] = field(default_factory=set)

    def __post_init__(self) -> None:
        axes = self.matrix.axes
        pairs = [[(axis.name, value) for value in axis.values] for axis in axes]
        self._cells = list(itertools.product(*pairs))
        self._excludes = [self._condition(rule.values) for rule in self.matrix.excludes]
        self._accelerators = {a.name: a for a in self.matrix.accelerators}
        self._bases = {(base.os, base.cuda): base for base in self.matrix.bases}

    def report(self, place: Place, where: tuple[str | int, ...], message: str) -> None:
        """Note a problem."""
        problem = Problem(place.path, place.line, place.column, show_where(where), message)
        self.problems.append(problem)

    def recipe_variants(self, recipe: str, version: str) -> Iterator[Variant]:
        """Yield the variants of one recipe, without aliases."""
        names = [axis.name for axis in self.matrix.axes]
        accelerator_at, os_at, python_at = map(names.index, ("accelerator", "os", "python"))
        for cell in self._cells:
            if self._is_excluded(recipe, cell):
                continue
            accelerator = self._accelerators[cell[accelerator_at][1]]
            os = cell[os_at][1]
            base = self._bases.get((os, accelerator.cuda)) or self._bases.get((os, ""))
            if base is None:
                self._report_baseless(recipe, cell, os, accelerator)
                continue
            yield Variant(recipe, version, cell, accelerator, base, cell[python_at][1])

    def check_rules(self, variants: Sequence[Variant]) -> None:
        """Report excludes and groups that change nothing."""
        for index, rule in enumerate(self.matrix.excludes):
            if index not in self._used:
                message = "excludes nothing; rules before it exclude all that it matches"
                self.report(rule.place, ("exclude", index), message)
        if self._baseless:
            # variants are missing for another reason, which is told already
            return
        for name, rule in self.matrix.groups.items():
            if not self._matching(rule, variants):
                self.report(rule.place, ("groups", name), "the group matches no variant")

    def check_tags(self, variants: Sequence[Variant]) -> None:
        """Report tags that are too long, or that two variants of a recipe share."""
        taken: dict[tuple[str, str], Variant] = {}
        told: set[tuple[str, str, str]] = set()
        for variant in variants:
            tag = variant.tag
            first = taken.setdefault((variant.recipe, tag), variant)
            if first is not variant:
                self._report_twice(first, variant, told)
            if len(tag) > _LONGEST_TAG and ("", "", variant.recipe) not in told:
                told.add(("", "", variant.recipe))
                message = f"the tag {show_value(tag)} is longer than {_LONGEST_TAG} characters"
                self.report(self.matrix.axes[0].place, ("axes",), message)

    def with_aliases(
        self, variants: Sequence[Variant], versions: Mapping[str, str]
    ) -> Iterator[Variant]:
        """Yield the variants with the moving tags that point to each."""
        tags: dict[str, list[str]] = {}
        taken = {(variant.recipe, variant.tag): variant.id for variant in variants}
        releases = {recipe: release_values(version) for recipe, version in versions.items()}
        for alias in self.matrix.aliases:
            for variant in self._alias_targets(alias, variants):
                names = {**releases[variant.recipe], **dict(variant.values)}
                tag = expand_alias(alias.tag, names)
                owner = taken.setdefault((variant.recipe, tag), f"the alias {alias.place}")
                if self._is_free_tag(alias, variant, tag, owner):
                    tags.setdefault(variant.id, []).append(tag)
        for variant in variants:
            found = tags.get(variant.id) if tags else None
            yield replace(variant, aliases=tuple(found)) if found else variant

    def _condition(self, values: Mapping[str, str]) -> _Condition:
        positions = {axis.name: index for index, axis in enumerate(self.matrix.axes)}
        pairs = [(positions[a], (a, value)) for a, value in values.items() if a != "recipe"]
        return _Condition(values.get("recipe", ""), tuple(pairs))

    def _is_excluded(self, recipe: str, cell: _Cell) -> bool:
        for index, condition in enumerate(self._excludes):
            if condition.holds(recipe, cell):
                self._used.add(index)
                return True
        return False

    def _matching(self, rule: Rule | Alias, variants: Sequence[Variant]) -> list[Variant]:
        condition = self._condition(rule.values)
        return [v for v in variants if condition.holds(v.recipe, v.values)]

    def _alias_targets(self, alias: Alias, variants: Sequence[Variant]) -> Iterator[Variant]:
        matching = self._matching(alias, variants)
        where = ("aliases", alias.tag)
        if not matching and not self._baseless:
            self.report(alias.place, where, "the alias points to no variant")
        for _, group in itertools.groupby(matching, key=lambda variant: variant.recipe):
            first, *others = group
            if others:
                message = f"the alias points to {len(others) + 1} variants of a recipe, "
                message += f"such as {show_value(first.id)} and {show_value(others[0].id)}"
                self.report(alias.place, where, message)
                return
            yield first

    def _is_free_tag(self, alias: Alias, variant: Variant, tag: str, owner: str) -> bool:
        where = ("aliases", alias.tag)
        if not TAG.fullmatch(tag):
            message = f"{show_value(tag)} is not a tag ([A-Za-z0-9_][A-Za-z0-9._-]{{0,127}})"
        elif _CONTENT_TAG.fullmatch(tag):
            message = f"{show_value(tag)} looks like the tag of a content key"
        elif owner != f"the alias {alias.place}":
            message = (
                f"the tag {show_value(tag)} of {show_value(variant.recipe)} is taken by {owner}"
            )
        else:
            return True
        self.report(alias.place, where, message)
        return False

    def _report_baseless(self, recipe: str, cell: _Cell, os: str, accelerator: Accelerator) -> None:
        if (os, accelerator.cuda) in self._baseless:
            return
        self._baseless.add((os, accelerator.cuda))
        axis = next(axis for axis in self.matrix.axes if axis.name == "os")
        wanted = f"os {show_value(os)}"
        if accelerator.cuda:
            wanted += f" and either CUDA {accelerator.cuda} or none"
        slug = Variant(recipe, "", cell, accelerator, self.matrix.bases[0], "").id
        message = f"{show_value(slug)} has no base; it needs one with {wanted}"
        message += known_or_close(os, [base.os for base in self.matrix.bases])
        self.report(axis.place, ("axes", "os"), message)

    def _report_twice(
        self, first: Variant, second: Variant, told: set[tuple[str, str, str]]
    ) -> None:
        pairs = zip(first.values, second.values, strict=True)
        (axis, one), (_, other) = next(pair for pair in pairs if pair[0] != pair[1])
        if (axis, one, other) in told:
            return
        told.add((axis, one, other))
        place = next(found.place for found in self.matrix.axes if found.name == axis)
        message = f"{show_value(one)} and {show_value(other)} give two variants the tag "
        message += show_value(second.tag)
        self.report(place, ("axes", axis), message)
