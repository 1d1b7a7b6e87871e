"""How old the data is, measured by how often its sources have something new."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from twinforge.compat.catalog import data_tables

if TYPE_CHECKING:
    from datetime import date

__all__ = ["SourceAge", "source_ages"]


@dataclass(frozen=True, slots=True)
class SourceAge:
    """One source of one data file that has something new from time to time.

    Attributes:
        file: The data file.
        source: The key of the source in that file.
        title: What the source is.
        collected: When it was read.
        habit_days: After how many days it usually has something new.
        age_days: How long ago it was read.
    """

    file: str
    source: str
    title: str
    collected: date
    habit_days: int
    age_days: int

    @property
    def is_late(self) -> bool:
        """Whether the source has probably something that the data lacks."""
        return self.age_days > self.habit_days


def source_ages(today: date) -> tuple[SourceAge, ...]:
    """Return the ages of all sources that change, in the order of the files.

    Sources that do not change any more (a measured wheel, an archived page) have none.
    """
    return tuple(
        SourceAge(
            file=name,
            source=source,
            title=table.sources[source],
            collected=table.collected,
            habit_days=habit_days,
            age_days=(today - table.collected).days,
        )
        for name, table in data_tables().items()
        for source, habit_days in table.habits.items()
    )
