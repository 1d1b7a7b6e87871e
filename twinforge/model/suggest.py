"""What was meant: the nearest of the words that would have been right."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from twinforge.yamlfile import show_value

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["closest", "known_or_close", "likely_slip"]

_SHOWN_WORDS = 10
_LETTERS_PER_SLIP = 6
_CUTOFF = 0.6
# difflib takes quadratic time, and a word of this length was never a slip of the finger
_LONGEST_WORD = 200


def closest(word: str, candidates: Iterable[str]) -> str:
    """Return the candidate that is most like the word, or an empty string.

    >>> closest("pakages", ["packages", "indexes"])
    'packages'
    """
    if len(word) > _LONGEST_WORD:
        return ""
    listed = list(candidates)
    found = difflib.get_close_matches(word, listed, n=1, cutoff=_CUTOFF)
    if not found:
        by_lower = {candidate.lower(): candidate for candidate in reversed(listed)}
        found = difflib.get_close_matches(word.lower(), list(by_lower), n=1, cutoff=_CUTOFF)
        found = [by_lower[name] for name in found]
    return found[0] if found else ""


def known_or_close(word: str, candidates: Iterable[str]) -> str:
    """Return the end of a sentence: what was meant, or what is known, or nothing.

    >>> known_or_close("cu128", ["cpu", "cu129"])
    "; did you mean 'cu129'?"
    >>> known_or_close("rocm", ["cpu", "cu129"])
    "; known are 'cpu', 'cu129'"
    """
    listed = list(dict.fromkeys(candidates))
    near = closest(word, listed)
    if near:
        return f"; did you mean {show_value(near)}?"
    if not listed:
        return ""
    shown = ", ".join(show_value(candidate) for candidate in listed[:_SHOWN_WORDS])
    more = ", ..." if len(listed) > _SHOWN_WORDS else ""
    return f"; known are {shown}{more}"


def likely_slip(name: str, candidates: Iterable[str]) -> str:
    """Return the candidate that a package's name is misspelt for, or an empty string.

    Names of one family differ by a word (``nvidia-cufft-cu12``, ``nvidia-cudnn-cu12``) and are as
    alike as misspelt ones: here each word has to be as good as right.

    >>> likely_slip("nvidia-cublas-cu11", ["nvidia-cudnn-cu12", "nvidia-cublas-cu12"])
    'nvidia-cublas-cu12'
    >>> likely_slip("nvidia-cufft-cu12", ["nvidia-cudnn-cu12"])
    ''
    """
    near = [(_slips(name, one), one) for one in candidates if len(name) <= _LONGEST_WORD]
    likely = [(slips, one) for slips, one in near if slips is not None]
    return min(likely, key=lambda pair: pair[0])[1] if likely else ""


def _slips(name: str, other: str) -> int | None:
    """Return how many letters differ, or None where they are too many for slips of the finger."""
    words, others = name.split("-"), other.split("-")
    if len(words) != len(others):
        words, others = [name.replace("-", "")], [other.replace("-", "")]
    pairs = list(zip(words, others, strict=True))
    distances = [_distance(one, two) for one, two in pairs]
    if any(
        n > max(1, len(one) // _LETTERS_PER_SLIP)
        for n, (one, _) in zip(distances, pairs, strict=True)
    ):
        return None
    return sum(distances)


def _distance(one: str, two: str) -> int:
    """Return how many letters are put in, left out or exchanged (Levenshtein)."""
    row = list(range(len(two) + 1))
    for number, letter in enumerate(one, start=1):
        before, row[0] = row[0], number
        for index, other in enumerate(two, start=1):
            kept = before if letter == other else before + 1
            before, row[index] = row[index], min(kept, row[index] + 1, row[index - 1] + 1)
    return row[-1]
