"""Packages that ask for something of which the default index has no wheel.

Nothing is compiled in a build, so that such a package can't be locked. What is asked for by what is
known to an index only; here is what was found, of the past that no longer changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from pydantic import AfterValidator, Field

from twinforge.compat.facts import Fact
from twinforge.compat.tablefile import Name, Sourced, Table, load
from twinforge.compat.tablefile import Version as DottedText

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["WheellessTable", "load_wheelless_table", "missing_wheels"]


def _range(text: str) -> str:
    try:
        SpecifierSet(text)
    except InvalidSpecifier as error:
        raise ValueError(str(error)) from error
    return text


class WheellessRecord(Sourced):
    """Versions of packages, and what they ask for (perhaps ``through`` another) without a wheel.

    ``pythons`` are those that there is none for; empty: for none at all.
    """

    told_by: ClassVar[tuple[str, ...]] = ("asks_for", "through", "versions")
    split_by: ClassVar[tuple[str, ...]] = ("packages", "pythons")

    packages: Annotated[list[Name], Field(min_length=1)]
    versions: Annotated[str, AfterValidator(_range), Field(min_length=1)]
    asks_for: Name
    through: str = ""
    pythons: list[DottedText] = Field(default_factory=list)


class WheellessTable(Table):
    """``data/wheelless.yaml``."""

    records: list[WheellessRecord]


def load_wheelless_table() -> WheellessTable:
    """Read the file."""
    return load(WheellessTable, "wheelless.yaml")


def missing_wheels(package: str, version: str, python: str) -> Iterator[Fact]:
    """Yield what a version of a package asks for that has no wheel for a Python.

    Args:
        package: Its canonical name.
        version: The version, such as ``1.6.0``.
        python: Such as ``3.6``.
    """
    table = load_wheelless_table()
    for record in table.records:
        if package not in record.packages or (record.pythons and python not in record.pythons):
            continue
        if SpecifierSet(record.versions).contains(version, prereleases=True):
            through = f", through {record.through}," if record.through else ""
            where = f" for Python {python}" if record.pythons else ""
            text = (
                f"{package} {version} asks{through} for {record.asks_for}, of which the default "
                f"index has no wheel{where}"
            )
            yield Fact(text, table.cite(record.source), record.verified)
