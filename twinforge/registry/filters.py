"""Which tags may move in an immutable ECR repository, as the few wildcards that ECR takes.

Source: https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-tag-mutability.html; the limits
are those of botocore's model of ``CreateRepository``.
"""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING

from twinforge.errors import RegistryError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["FILTERS", "alias_filters", "covers"]

FILTERS = 5
_FILTER = re.compile(r"[0-9a-zA-Z._*-]{1,128}")
_FIELD = re.compile(r"\{[^{}]*\}")


def alias_filters(
    aliases: Sequence[str], *, templates: Sequence[str] = (), immutable: Iterable[str] = ()
) -> tuple[str, ...]:
    """Return at most five wildcards that cover all aliases and no immutable tag.

    A template's fields become ``*``, so that the aliases of the next version are covered as well;
    where that would let an immutable tag move, the aliases themselves are taken.

    Args:
        aliases: The moving tags.
        templates: What they were made from, such as ``{major}.{minor}-cpu``.
        immutable: Tags that must stay.

    >>> alias_filters(["1.2-cpu", "latest-cpu"], templates=["{major}.{minor}-cpu", "latest-cpu"])
    ('*.*-cpu', 'latest-cpu')

    Raises:
        RegistryError: There are more aliases than ECR has room for, and no wildcards fit.
    """
    fixed = tuple(immutable)
    wide = [_FIELD.sub("*", template) for template in templates]
    safe = [one for one in wide if one.strip("*") and not any(covers((one,), tag) for tag in fixed)]
    found = dict.fromkeys(one for one in safe if any(covers((one,), alias) for alias in aliases))
    found.update(dict.fromkeys(alias for alias in aliases if not covers(tuple(found), alias)))
    filters = list(found)
    while len(filters) > FILTERS:
        joined = _join(filters, fixed)
        if joined is None:
            message = (
                f"{len(filters)} aliases are declared, and ECR takes {FILTERS} wildcards for tags "
                f"that may move; no common ones leave '{fixed[0] if fixed else '*'}' in its place"
            )
            raise RegistryError(message, hint="give the aliases common beginnings or ends")
        filters = joined
    for one in filters:
        if not _FILTER.fullmatch(one):
            message = f"'{one}' can't be a filter of ECR ([0-9a-zA-Z._*-], 1 to 128 characters)"
            raise RegistryError(message)
    return tuple(filters)


def covers(filters: Iterable[str], tag: str) -> bool:
    """Whether a tag may move under these filters; ``*`` stands for any characters, or none."""
    return any(
        re.fullmatch(".*".join(re.escape(part) for part in one.split("*")), tag) is not None
        for one in filters
    )


def _join(filters: Sequence[str], fixed: Sequence[str]) -> list[str] | None:
    """Replace the two filters that are most alike by one that covers both."""
    best: tuple[int, str] | None = None
    for first, second in itertools.combinations(filters, 2):
        start = _common_start(first, second)
        end = _common_start(first[len(start) :][::-1], second[len(start) :][::-1])[::-1]
        one = re.sub(r"\*+", "*", f"{start}*{end}")
        alike = len(one.strip("*"))
        if (
            alike
            and (best is None or alike > best[0])
            and not any(covers((one,), t) for t in fixed)
        ):
            best = (alike, one)
    if best is None:
        return None
    joined = best[1]
    return [joined, *(one for one in filters if not covers((joined,), one))]


def _common_start(first: str, second: str) -> str:
    same = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(first, second, strict=False))
    return "".join(one for one, _ in same)
