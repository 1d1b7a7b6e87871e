"""A neighbour, which both files of the program import."""

from __future__ import annotations


def numbers_of(text: str) -> list[float]:
    """Return the numbers of a text with one in each line."""
    return [float(line) for line in text.split()]
