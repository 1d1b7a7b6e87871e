from __future__ import annotations

import pytest

from twinforge.errors import SmokeError
from twinforge.smoke.modelfiles import Entry, judge_model, judge_unchanged

MODEL = Entry("model.ubj", "file", 250_000, 1.0)
FOLDER = Entry("assets", "folder", 0, 1.0)


def test_a_model_is_at_least_one_file() -> None:
    assert judge_model([FOLDER, MODEL]) == "status 0, model.ubj (250,000 bytes)"


@pytest.mark.parametrize("entries", [[], [FOLDER]])
def test_folders_are_no_model(entries: list[Entry]) -> None:
    with pytest.raises(SmokeError, match="left no file in /opt/ml/model"):
        judge_model(entries)


@pytest.mark.parametrize("kind", ["link", "other"])
def test_what_an_endpoint_does_not_unpack_is_refused(kind: str) -> None:
    with pytest.raises(SmokeError, match="'latest' in /opt/ml/model is a link or no file"):
        judge_model([MODEL, Entry("latest", kind, 0, 1.0)])


def test_a_model_that_stayed_is_unchanged() -> None:
    assert judge_unchanged([MODEL], [MODEL]) == "served with /opt/ml/model read-only"


def test_every_file_that_came_went_or_changed_is_named() -> None:
    touched = Entry("model.ubj", "file", 250_000, 2.0)
    cache = Entry("cache", "file", 1, 2.0)
    with pytest.raises(SmokeError, match=r"ran: cache, gone, model\.ubj"):
        judge_unchanged([MODEL, Entry("gone", "file", 1, 1.0)], [touched, cache])
