"""Tags: no two variants of a recipe share one, and aliases point where they say."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from twinforge.model.alias import expand_alias, parse_braces, release_values
from twinforge.model.reference import TAG
from twinforge.model.rules import applies
from twinforge.yamlfile import show_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from twinforge.model.cells import Family
    from twinforge.model.matrix import Alias, Matrix
    from twinforge.model.place import Place
    from twinforge.model.variant import Variant
    from twinforge.yamlfile import Where

    Report = Callable[[Place, Where, str], None]

__all__ = ["Naming"]

_LONGEST_TAG = 128
# what tags of a content key look like: no alias may be mistaken for one
_CONTENT_TAG = re.compile(r"key-[0-9a-f]{16}")


@dataclass(frozen=True, slots=True)
class Naming:
    """The names of a project's variants.

    Attributes:
        matrix: The matrix.
        families: The recipes, by name.
        words: What rules know each variant by, in the order of the variants.
        report: Told each problem: place, path in the document, message.
        is_whole: Whether all variants are there; if not, an alias of none may only wait for them.
    """

    matrix: Matrix
    families: Mapping[str, Family]
    words: Sequence[Mapping[str, str]]
    report: Report
    is_whole: bool

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
                place = self.families[variant.recipe].axes[0].place
                self.report(place, ("axes",), message)

    def with_aliases(self, variants: Sequence[Variant]) -> Iterator[Variant]:
        """Yield the variants with the moving tags that point to each."""
        tags: dict[str, list[str]] = {}
        taken: dict[tuple[str, str], str] = {}
        if self.matrix.aliases:
            taken = {(variant.recipe, variant.tag): variant.id for variant in variants}
        releases = {name: release_values(one.version) for name, one in self.families.items()}
        for alias in self.matrix.aliases:
            for variant in self._alias_targets(alias, variants):
                names = {**releases[variant.recipe], **dict(variant.values + variant.derived)}
                if self._lacks_value(alias, variant, names):
                    continue
                tag = expand_alias(alias.tag, names)
                owner = taken.setdefault((variant.recipe, tag), f"the alias {alias.place}")
                if self._is_free_tag(alias, variant, tag, owner):
                    tags.setdefault(variant.id, []).append(tag)
        for variant in variants:
            found = tags.get(variant.id) if tags else None
            yield replace(variant, aliases=tuple(found)) if found else variant

    def _alias_targets(self, alias: Alias, variants: Sequence[Variant]) -> Iterator[Variant]:
        known = zip(variants, self.words, strict=True)
        matching = [variant for variant, words in known if applies(alias, words)]
        where = ("aliases", alias.tag)
        if not matching and self.is_whole:
            self.report(alias.place, where, "the alias points to no variant")
        for _, group in itertools.groupby(matching, key=lambda variant: variant.recipe):
            first, *others = group
            if others:
                message = f"the alias points to {len(others) + 1} variants of a recipe, "
                message += f"such as {show_value(first.id)} and {show_value(others[0].id)}"
                self.report(alias.place, where, message)
                return
            yield first

    def _lacks_value(self, alias: Alias, variant: Variant, names: Mapping[str, str]) -> bool:
        missing = [name for name in parse_braces(alias.tag)[0] if name not in names]
        if missing:
            shown = show_value("{" + missing[0] + "}")
            message = f"{shown} has no value for {show_value(variant.id)}"
            self.report(alias.place, ("aliases", alias.tag), message)
        return bool(missing)

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

    def _report_twice(
        self, first: Variant, second: Variant, told: set[tuple[str, str, str]]
    ) -> None:
        pairs = zip(first.values, second.values, strict=True)
        (axis, one), (_, other) = next(pair for pair in pairs if pair[0] != pair[1])
        if (axis, one, other) in told:
            return
        told.add((axis, one, other))
        axes = self.families[second.recipe].axes
        place = next(found.place for found in axes if found.name == axis)
        message = f"{show_value(one)} and {show_value(other)} give two variants the tag "
        message += show_value(second.tag)
        self.report(place, ("axes", axis), message)
