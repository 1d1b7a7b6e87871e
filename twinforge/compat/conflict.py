"""The smallest set that can't hold together.

Every set that conflicts shares something with every correction (what has to be left out for the
rest to hold), so the smallest set that touches all corrections found so far is either the smallest
conflict or leads to another correction.

Source: A. Ignatiev, A. Previti, M. Liffiton, J. Marques-Silva, "Smallest MUS Extraction with
Minimal Hitting Set Dualization", CP 2015.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["smallest_conflict", "smallest_hitting_set"]


def smallest_conflict(
    labels: Sequence[str], holding: Callable[[frozenset[str]], frozenset[str] | None]
) -> tuple[str, ...]:
    """Return the fewest labels that do not hold together, in their order.

    Args:
        labels: Everything that may be in it; of equally small sets, one of those that come first
            is taken.
        holding: Returns None for labels that do not hold together, and else these and as many
            more as are seen to hold with them. What holds together does so with less as well.

    Raises:
        ValueError: All of them hold together.
    """
    if holding(frozenset(labels)) is not None:
        message = "there is no conflict"
        raise ValueError(message)
    corrections: list[frozenset[str]] = []
    while True:
        guess = smallest_hitting_set(labels, corrections)
        held = holding(guess)
        if held is None:
            return tuple(label for label in labels if label in guess)
        for label in labels:
            if label not in held:
                held = holding(held | {label}) or held
        corrections.append(frozenset(labels) - held)


def smallest_hitting_set(labels: Sequence[str], sets: Sequence[frozenset[str]]) -> frozenset[str]:
    """Return the fewest labels of which each set holds one."""
    for size in range(len(labels) + 1):
        found = _hitting(labels, sets, frozenset(), size)
        if found is not None:
            return found
    message = "a set is empty"
    raise ValueError(message)


def _hitting(
    labels: Sequence[str], sets: Sequence[frozenset[str]], taken: frozenset[str], size: int
) -> frozenset[str] | None:
    open_sets = [one for one in sets if taken.isdisjoint(one)]
    if not open_sets:
        return taken
    if len(taken) == size:
        return None
    smallest = min(open_sets, key=len)
    for label in labels:
        if label in smallest:
            found = _hitting(labels, open_sets, taken | {label}, size)
            if found is not None:
                return found
    return None
