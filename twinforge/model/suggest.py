"""What was meant: the nearest of the words that would have been right."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from twinforge.yamlfile import show_value

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["closest", "known_or_close"]

_SHOWN_WORDS = 10
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
