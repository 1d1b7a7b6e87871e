"""How a data file is read: strictly, with every record naming its sources.

A file says when it was collected, names its sources once, and its records cite them by key. What
is misspelt, cites nothing or is of another type is refused.
"""

from __future__ import annotations

from datetime import date
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Annotated, ClassVar, Self, TypeVar, cast

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from twinforge.compat.active import active, per_project
from twinforge.compat.datayaml import read_data
from twinforge.compat.facts import Dotted
from twinforge.compat.merge import merge
from twinforge.errors import TwinforgeError
from twinforge.yamlfile import Unclear

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "Count",
    "Day",
    "Name",
    "Sourced",
    "Sources",
    "Strict",
    "Table",
    "Version",
    "cited_sources",
    "load",
    "parse",
    "shipped",
    "shipped_text",
]


def _dotted(text: str) -> str:
    Dotted.parse(text)
    return text


def _day(value: object) -> object:
    if isinstance(value, Unclear):
        message = (
            f'{value.text} is {value.reads_as} to some readers of YAML; quote it: "{value.text}"'
        )
        raise ValueError(message)  # noqa: TRY004 - pydantic makes a problem of it
    if isinstance(value, str):
        return date.fromisoformat(value)
    return value


Day = Annotated[date, BeforeValidator(_day)]
Version = Annotated[str, AfterValidator(_dotted)]
Name = Annotated[str, Field(min_length=1)]
Count = Annotated[int, Field(ge=1)]
Sources = Annotated[list[Name], Field(min_length=1)]


class Strict(BaseModel):
    """What all parts of a data file are."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class Sourced(Strict):
    """A record that says where it was read; ``source`` holds keys of the file's ``sources``.

    ``source_of`` names other sources for single fields, and ``unverified`` the fields that are
    inferred or from a third party where the rest of the record is not.

    A project's record replaces those that it is told by the same fields from; of a record with
    several versions (or systems, ...), the fields of ``split_by``, only those that both have.
    """

    told_by: ClassVar[tuple[str, ...]] = ()
    split_by: ClassVar[tuple[str, ...]] = ()

    source: Sources
    source_of: dict[Name, Sources] = {}
    unverified: list[Name] = []
    verified: bool
    note: str = ""

    @model_validator(mode="after")
    def _fields_that_have_a_source_exist(self) -> Self:
        if unknown := sorted({*self.source_of, *self.unverified} - set(type(self).model_fields)):
            message = f"there is no field {', '.join(unknown)} to have a source"
            raise ValueError(message)
        return self

    def sources_of(self, field: str) -> list[str]:
        """Return the keys of the sources of one field."""
        return self.source_of.get(field, self.source)

    def is_verified(self, field: str) -> bool:
        """Whether one field was read where it is published."""
        return self.verified and field not in self.unverified


class Table(Strict):
    """A data file.

    ``habits`` say after how many days a source usually has something new.
    """

    collected: Day
    sources: dict[Name, Name]
    habits: dict[Name, Count] = {}

    def cite(self, keys: list[str]) -> tuple[str, ...]:
        """Return the sources that the keys name."""
        return tuple(self.sources[key] for key in keys)

    @model_validator(mode="after")
    def _every_source_is_named_and_cited(self) -> Self:
        cited = set(cited_sources({name: getattr(self, name) for name in type(self).model_fields}))
        if unknown := sorted((cited | set(self.habits)) - set(self.sources)):
            message = f"no source is called {', '.join(unknown)}"
            raise ValueError(message)
        if unused := sorted(set(self.sources) - cited):
            message = f"nothing cites {', '.join(unused)}"
            raise ValueError(message)
        return self


_T = TypeVar("_T", bound=Strict)
_D = TypeVar("_D", bound=Table)


def shipped(table: type[_T], name: str) -> _T:
    """Return a data file that comes with Twinforge, read once."""
    return cast("_T", _shipped(table, name))


@cache
def _shipped(table: type[Strict], name: str) -> Strict:
    return parse(table, shipped_text(name), name)


def shipped_text(name: str) -> str:
    """Return the text of a data file that comes with Twinforge."""
    return (files("twinforge.compat") / "data" / name).read_text("utf-8")


@per_project
def load(table: type[_D], name: str) -> _D:
    """Return a data file with what the project in force adds to it."""
    base = shipped(table, name)
    additions = active().tables.get(name)
    if additions is None:
        return base
    sections = merge(base, additions)
    sections["sources"] = {**base.sources, **additions.sources}
    cited = set(cited_sources(sections))
    sections["sources"] = {k: text for k, text in sections["sources"].items() if k in cited}
    sections["habits"] = {k: days for k, days in base.habits.items() if k in cited}
    return table.model_validate(sections)


def parse(table: type[_T], text: str, name: str) -> _T:
    """Check the text of a data file.

    Raises:
        TwinforgeError: It does not follow the schema; the message names every place.
    """
    try:
        return table.model_validate(read_data(text))
    except (yaml.YAMLError, ValidationError) as error:
        message = f"the compatibility data in '{name}' is not valid: {error}"
        raise TwinforgeError(message) from error


def cited_sources(value: object) -> Iterator[str]:
    """Yield the keys of the sources that records anywhere inside cite."""
    if isinstance(value, Sourced):
        yield from value.source
        for keys in value.source_of.values():
            yield from keys
    if isinstance(value, Strict):
        for name in type(value).model_fields:
            yield from cited_sources(getattr(value, name))
    elif isinstance(value, dict):
        for item in value.values():
            yield from cited_sources(item)
    elif isinstance(value, list):
        for item in value:
            yield from cited_sources(item)
