"""How a data file is read: strictly, with every record naming its sources.

A file says when it was collected, names its sources once, and its records cite them by key. What
is misspelt, cites nothing or is of another type is refused.
"""

from __future__ import annotations

from datetime import date  # noqa: TC003 - pydantic reads the annotation when the class is made
from importlib.resources import files
from typing import Annotated, Any, Self, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from twinforge.compat.facts import Dotted
from twinforge.errors import TwinforgeError

__all__ = ["Count", "Name", "Sourced", "Sources", "Strict", "Table", "Version", "parse", "read"]


def _dotted(text: str) -> str:
    Dotted.parse(text)
    return text


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
    """

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

    collected: date
    sources: dict[Name, Name]
    habits: dict[Name, Count] = {}

    def cite(self, keys: list[str]) -> tuple[str, ...]:
        """Return the sources that the keys name."""
        return tuple(self.sources[key] for key in keys)

    @model_validator(mode="after")
    def _every_source_is_named_and_cited(self) -> Self:
        cited = set(_cited(self.model_dump(exclude={"sources"})))
        if unknown := sorted((cited | set(self.habits)) - set(self.sources)):
            message = f"no source is called {', '.join(unknown)}"
            raise ValueError(message)
        if unused := sorted(set(self.sources) - cited):
            message = f"nothing cites {', '.join(unused)}"
            raise ValueError(message)
        return self


_T = TypeVar("_T", bound=Strict)


def read(name: str) -> str:
    """Return the text of a data file that comes with Twinforge."""
    return (files("twinforge.compat") / "data" / name).read_text("utf-8")


def parse(table: type[_T], text: str, name: str) -> _T:
    """Check the text of a data file.

    Raises:
        TwinforgeError: It does not follow the schema; the message names every place.
    """
    # libyaml parses the instances ten times as fast, where PyYAML was built with it
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return table.model_validate(yaml.load(text, Loader=loader))  # noqa: S506 - both are safe
    except (yaml.YAMLError, ValidationError) as error:
        message = f"the compatibility data in '{name}' is not valid: {error}"
        raise TwinforgeError(message) from error


def _cited(value: Any) -> list[str]:
    if isinstance(value, list):
        return [key for item in value for key in _cited(item)]
    if not isinstance(value, dict):
        return []
    own = value.get("source", [])
    by_field = value.get("source_of", {})
    return [
        *own,
        *(key for keys in by_field.values() for key in keys),
        *(
            key
            for name, item in value.items()
            if name not in {"source", "source_of"}
            for key in _cited(item)
        ),
    ]
