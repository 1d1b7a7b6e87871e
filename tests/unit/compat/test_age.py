from __future__ import annotations

from datetime import date, timedelta

import pytest

from twinforge.compat.age import source_ages
from twinforge.compat.catalog import data_tables

COLLECTED = date(2026, 11, 22)


def test_on_the_day_of_collection_nothing_is_late() -> None:
    assert not any(found.is_late for found in source_ages(COLLECTED))


def test_a_source_is_late_from_the_day_after_its_habit_on() -> None:
    def botocore(days: int) -> bool:
        ages = source_ages(COLLECTED + timedelta(days=days))
        return next(a for a in ages if a.source == "botocore").is_late

    assert not botocore(30)
    assert botocore(31)


def test_an_age_says_where_its_source_is_and_when_it_was_read() -> None:
    found = next(a for a in source_ages(COLLECTED) if a.source == "botocore")
    assert found.file == "instances.yaml"
    assert found.title.startswith("botocore 1.44.5")
    assert (found.collected, found.age_days, found.habit_days) == (COLLECTED, 0, 30)


@pytest.mark.parametrize("name", data_tables())
def test_every_data_file_has_a_day_and_sources(name: str) -> None:
    table = data_tables()[name]
    assert table.collected >= COLLECTED
    assert table.sources
    assert table.habits or name == "frameworks/mxnet.yaml"
