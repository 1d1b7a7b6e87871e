"""Answers, files and processes that are well formed and yet nobody expects."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from twinforge.errors import SmokeError
from twinforge.model.recipe import Invocation, PairSmoke
from twinforge.smoke.answers import Answer, judge_answer
from twinforge.smoke.checks.stopping import refuse_stop_signal
from twinforge.smoke.installed import compare_installed, parse_installed
from twinforge.smoke.modelfiles import Entry, judge_model, judge_unchanged
from twinforge.smoke.pairing import difference
from twinforge.smoke.running import Running

if TYPE_CHECKING:
    from collections.abc import Sequence

DEEP = b"[" * 100_000


def asked(pointer: str, wanted: object) -> Invocation:
    return Invocation("text/csv", "row.csv", 200, "", {pointer: wanted}, "", 0.0)


def json_answer(body: bytes) -> Answer:
    return Answer(200, "application/json", body)


def refusal(invocation: Invocation, body: bytes) -> str:
    with pytest.raises(SmokeError) as caught:
        judge_answer(invocation, json_answer(body), ())
    return caught.value.message


def test_an_answer_that_is_nested_without_end_is_no_json() -> None:
    assert refusal(asked("/0", 1), DEEP).startswith("the answer is not JSON: [[[")


def test_what_lies_behind_the_end_of_an_array_is_not_what_was_asked_for() -> None:
    assert refusal(asked("/-", 1), b"[1]").startswith("'/-' is ")


def test_a_long_value_is_shown_by_its_beginning() -> None:
    assert len(refusal(asked("/0", 1), b'["' + b"x" * 100_000 + b'"]')) < 300


def test_answers_of_odd_numbers_and_depths_are_compared() -> None:
    exact = PairSmoke()
    huge = f"[1{'0' * 400}]".encode()
    assert difference(json_answer(huge), json_answer(huge + b" "), exact) == ""
    assert difference(json_answer(huge), json_answer(b"[1]"), exact).startswith("at '/0'")
    assert difference(json_answer(DEEP), json_answer(DEEP + b"["), exact).startswith("at '/0'")


def test_of_thousands_of_files_a_few_are_named() -> None:
    entries = [Entry(f"part-{number:04}", "file", 10, 0.0) for number in range(3000)]
    assert judge_model(entries) == (
        "status 0, part-0000, part-0001, part-0002, part-0003, part-0004 and 2,995 more "
        "(30,000 bytes)"
    )
    with pytest.raises(SmokeError, match=r"part-0004 and 2,995 more$"):
        judge_unchanged([], entries)


def test_a_package_without_a_name_is_told_by_its_folder() -> None:
    printed = '[["/opt/more", null], ["numpy", "2.0"]]'
    assert compare_installed({"numpy": "2.0"}, parse_installed(printed)) == (
        "in /opt/more lies a package without a name",
    )


@pytest.mark.parametrize("signal", ["", "15", "SIGTERM", "TERM", "sigterm"])
def test_sigterm_has_many_names(signal: str) -> None:
    refuse_stop_signal(signal, "serve")


@pytest.mark.parametrize("signal", ["9", "SIGKILL", "SIGQUIT", "37", "RTMIN+3"])
def test_another_signal_is_refused(signal: str) -> None:
    with pytest.raises(SmokeError, match="the image sets STOPSIGNAL to"):
        refuse_stop_signal(signal, "serve")


def running(rows: Sequence[Sequence[str]], pid: int) -> Running:
    container = SimpleNamespace(
        attrs={"State": {"Pid": 0}},
        top=lambda ps_args: {"Titles": ps_args.split(), "Processes": rows},
    )

    def reload() -> None:
        container.attrs = {"State": {"Pid": pid}}

    container.reload = reload
    return Running(cast("Any", container), started=0.0, port=0, cancelled=threading.Event())


def test_the_first_process_is_the_container_s_own_whatever_its_number() -> None:
    rows = [["12", "python3 /program/server"], ["4194300", "/bin/sh /program/serve"]]
    assert running(rows, 4194300).processes() == (
        "/bin/sh /program/serve",
        "python3 /program/server",
    )


@pytest.mark.parametrize(
    ("caught", "blocked", "hears"),
    [
        ("0000000000000002", "0000000000000000", False),  # Python without a handler
        ("0000000000004002", "0000000000000000", True),
        ("0000000000000000", "fffffffe7ffbfeff", True),  # tini waits for it
        ("<00004002", "00000000", True),
        ("?", "?", True),  # another ps
    ],
)
def test_who_hears_sigterm_is_told_by_the_masks_of_the_first_process(
    caught: str, blocked: str, *, hears: bool
) -> None:
    rows = [["7", "0000000000004002", "0000000000000000"], ["9", caught, blocked]]
    assert running(rows, 9).hears_sigterm() is hears


def test_of_a_container_that_ended_nothing_is_told() -> None:
    assert running([], 0).hears_sigterm()
