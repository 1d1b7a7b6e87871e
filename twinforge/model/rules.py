"""Whether a rule applies to what a cell is known by, and what derived axes add to that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twinforge.model.condition import holds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from twinforge.model.matrix import Alias, Derived, Rule

__all__ = ["applies", "derive_values"]


def applies(rule: Rule | Alias, words: Mapping[str, str]) -> bool:
    """Return whether a rule applies; ``words`` are those of ``words_of``, derived ones included."""
    for name, value in rule.values.items():
        if words.get(name) != value:
            return False
    return rule.when is None or holds(rule.when, words)


def derive_values(
    derived: Sequence[Derived], words: Mapping[str, str]
) -> tuple[tuple[tuple[str, str], ...], tuple[tuple[Derived, str], ...]]:
    """Return the (name, value) pairs that follow from a cell, and what has no value.

    A derived axis whose sources the cell does not have is not there either. What has no value comes
    with its sources' values, joined as the map's keys are.
    """
    known = dict(words)
    pairs: list[tuple[str, str]] = []
    missing: list[tuple[Derived, str]] = []
    for one in derived:
        if any(source not in known for source in one.sources):
            continue
        key = "/".join([known[source] for source in one.sources])
        value = one.values.get(key) or one.default
        if value:
            pairs.append((one.name, value))
            known[one.name] = value
        else:
            missing.append((one, key))
    return tuple(pairs), tuple(missing)
