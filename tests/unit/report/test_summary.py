from __future__ import annotations

import json
from dataclasses import replace

import pytest

from twinforge.report.summary import (
    BuildRow,
    BuildSummary,
    FailureRow,
    render_summary,
    shared_bytes,
)

ROW = BuildRow(
    variant="digits/cpu-py3.11-debian12",
    tag="1.0.0-cpu-py3.11-debian12",
    image_id="sha256:" + "0123456789abcdef" * 4,
    size_bytes=412_000_000,
    shared_bytes=380_000_000,
    is_new=True,
    build_s=8.6,
    ping_s=1.234,
    smoke="passed",
)
FAILURE = FailureRow(
    variant="digits/cu129-py3.11-debian12",
    verb="build",
    stage="wheels-device",
    dockerfile="images/digits/variants/cu129-py3.11-debian12/Dockerfile:17",
    recipe="recipes/digits.yaml:11",
    message="uv ended with status 1",
    log=".twinforge/logs/cu129.log",
)


def test_an_image_shows_what_it_is_and_how_it_fared() -> None:
    assert render_summary(BuildSummary((ROW,))).splitlines()[1].split("  ") == [
        "digits/cpu-py3.11-debian12",
        "1.0.0-cpu-py3.11-debian12",
        "0123456789ab",
        "412 MB",
        "380 MB",
        "8.6 s",
        "1.2 s",
        "passed",
    ]


def test_an_image_that_was_not_built_has_no_build_time() -> None:
    old = replace(ROW, is_new=False, build_s=None, ping_s=None, smoke="not run")
    line = render_summary(BuildSummary((old,))).splitlines()[1]
    assert line.endswith("  up to date      -  not run")


def test_a_failure_says_what_where_and_in_which_log() -> None:
    text = render_summary(BuildSummary((ROW,), (FAILURE,), ("digits/gpu",)))
    assert "1 failed\n" in text
    for fact in (FAILURE.stage, FAILURE.dockerfile, FAILURE.recipe, FAILURE.message, FAILURE.log):
        assert fact in text
    assert text.endswith("not tried after that: digits/gpu\n")


def test_what_a_failure_printed_last_stands_before_the_table_that_ends_the_run() -> None:
    failure = replace(FAILURE, output="one\n" * 20 + "\x1b[31mls: no such file\x1b[0m\nlater")
    shown, table = render_summary(BuildSummary((), (failure,))).split("1 failed\n")
    assert shown.splitlines() == [
        "digits/cu129-py3.11-debian12 printed last:",
        *(["    one"] * 8),
        "    ls: no such file",
        "    later",
        "",
    ]
    assert "printed" not in table
    single = replace(FAILURE, output="one\n")
    assert "printed" not in render_summary(BuildSummary((), (single,)))


def test_nothing_to_tell_is_no_text() -> None:
    assert render_summary(BuildSummary(())) == ""


@pytest.mark.parametrize(
    ("summary", "is_good"),
    [
        (BuildSummary((ROW,)), True),
        (BuildSummary((replace(ROW, smoke="not run"),)), False),
        (BuildSummary((replace(ROW, smoke="failed"),)), False),
        (BuildSummary((ROW,), (FAILURE,)), False),
        (BuildSummary((ROW,), (), ("digits/gpu",)), False),
    ],
)
def test_a_run_is_good_only_if_all_that_was_asked_for_passed(
    summary: BuildSummary, *, is_good: bool
) -> None:
    assert summary.is_good is is_good


def test_json_holds_every_number_unrounded() -> None:
    document = json.loads(json.dumps(BuildSummary((ROW,), (FAILURE,)).as_json()))
    assert document["images"][0]["ping_s"] == 1.234
    assert document["failures"][0]["recipe"] == "recipes/digits.yaml:11"
    assert document["skipped"] == []


def test_bytes_are_shared_when_another_image_holds_the_layer() -> None:
    layers = {"cpu": {"a": 10, "b": 5}, "cuda": {"a": 10, "c": 7}, "alone": {"d": 3}}
    assert shared_bytes(layers) == {"cpu": 10, "cuda": 10, "alone": 0}
