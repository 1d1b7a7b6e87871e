"""Putting a project's records in the place of those that come with Twinforge."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic import BaseModel

__all__ = ["merge"]


def merge(base: BaseModel, additions: BaseModel) -> dict[str, Any]:
    """Return the sections of a data file with a project's own records.

    Mappings are joined key by key. Of lists, the project's records come first, and what they
    replace is gone. What the project leaves out stays as it is.
    """
    sections: dict[str, Any] = {}
    for name in type(base).model_fields:
        old, new = getattr(base, name), getattr(additions, name, None)
        if not new:
            sections[name] = old
        elif isinstance(old, dict):
            sections[name] = {**old, **new}
        elif isinstance(old, list):
            sections[name] = [*new, *_without(old, new)]
        else:
            sections[name] = old if name == "collected" else new
    return sections


def _without(records: Iterable[Any], replaced: Iterable[Any]) -> list[Any]:
    left = list(records)
    for other in replaced:
        left = [piece for record in left for piece in _pieces(record, other)]
    return left


def _pieces(record: Any, other: Any) -> list[Any]:
    """Return what is left of a record beside another that replaces all or a part of it."""
    told_by, split_by = type(record).told_by, type(record).split_by
    if not (told_by or split_by):
        return [record]
    if any(getattr(record, name) != getattr(other, name) for name in told_by):
        return [record]
    pieces: list[Any] = []
    rest = record
    for name in split_by:
        mine, theirs = getattr(rest, name), getattr(other, name)
        if not (
            mine and theirs
        ):  # one of them says nothing of it, so that it can't tell them apart
            continue
        common = [item for item in mine if item in theirs]
        if not common:
            return [record]
        left = [item for item in mine if item not in theirs]
        if left:
            pieces.append(rest.model_copy(update={name: left}))
        rest = rest.model_copy(update={name: common})
    return pieces
