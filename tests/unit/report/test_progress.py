from __future__ import annotations

import io
import re
import threading
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import ConsoleDimensions

from twinforge.events import Event, State
from twinforge.report.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


class Broken(io.StringIO):
    """A terminal that has gone away."""

    def write(self, text: str) -> int:
        raise BrokenPipeError(32, text[:10])


def event(state: State, text: str = "", node: str = "digits/cpu", **amount: Any) -> Event:
    return Event("build", node, state, text, **amount)


def shown(*events: Event, **options: Any) -> str:
    stream = io.StringIO()
    with Progress(stream, **{"live": False, **options}) as progress:
        for one in events:
            progress(one)
    return stream.getvalue()


def test_without_a_terminal_each_event_is_one_plain_line_and_progress_none() -> None:
    text = shown(
        event(State.STARTED),
        event(State.PROGRESS, "[wheels 2/3] RUN uv pip install"),
        event(State.NOTE, "2 packages of the base moved"),
        event(State.DONE, "0123456789ab"),
        event(State.SKIPPED, "up to date", node="digits/cu129"),
    )
    assert text == (
        "build digits/cpu: started\n"
        "build digits/cpu: note: 2 packages of the base moved\n"
        "build digits/cpu: done in 0.0 s: 0123456789ab\n"
        "build digits/cu129: skipped: up to date\n"
    )


def test_the_time_counts_from_the_start_of_the_node() -> None:
    clock = Clock()
    stream = io.StringIO()
    progress = Progress(stream, live=False, clock=clock)
    progress(event(State.STARTED))
    clock.now_s += 3
    progress(event(State.STARTED, node="other"))
    clock.now_s += 4
    progress(event(State.FAILED, "boom"))
    assert stream.getvalue().splitlines()[-1] == "build digits/cpu: failed after 7.0 s: boom"


def test_a_failure_that_never_started_has_no_time() -> None:
    assert shown(event(State.FAILED, "boom")) == "build digits/cpu: failed: boom\n"


def test_more_lines_of_text_stand_indented_below() -> None:
    text = shown(event(State.FAILED, "uv failed\nno solution\n\x1b[31mtry again\x1b[0m\n"))
    assert text == "build digits/cpu: failed: uv failed\n  no solution\n  try again\n"


def test_quiet_shows_failures_and_nothing_else() -> None:
    events = [event(state, "text") for state in State]
    assert shown(*events, quiet=True).splitlines() == [
        "build digits/cpu: failed: text",
    ]


def test_quiet_on_a_terminal_draws_nothing() -> None:
    assert shown(event(State.STARTED), event(State.DONE), live=True, quiet=True) == ""


def test_the_stream_is_not_closed() -> None:
    stream = io.StringIO()
    with Progress(stream, live=True) as progress:
        progress(event(State.DONE))
    assert not stream.closed


def test_a_terminal_keeps_what_has_ended_and_loses_what_runs() -> None:
    text = shown(
        event(State.STARTED, "soon"),
        event(State.DONE, "0123456789ab"),
        event(State.STARTED, node="digits/cu129"),
        live=True,
    )
    assert "build digits/cpu: done in 0.0 s: 0123456789ab" in text
    assert "digits/cu129: started" not in text
    assert text.endswith("\x1b[2K")  # the last live line is erased


def test_without_colour_a_terminal_gets_no_colour_codes() -> None:
    events = [event(state, "text", done=1, total=2, unit="bytes") for state in State]
    assert not re.findall(r"\x1b\[[0-9;]*m", shown(*events, live=True, colour=False))
    assert re.findall(r"\x1b\[[0-9;]*m", shown(*events, live=True, colour=True))


def frame(*events: Event, height: int = 25) -> list[str]:
    """Return the live lines after these events, as they stand on a terminal."""
    stream = io.StringIO()
    with Progress(stream, live=True, colour=False, clock=Clock()) as progress:
        for one in events:
            progress(one)
        live = progress._live
        assert live is not None
        live.console.size = ConsoleDimensions(100, height)
        with live.console.capture() as capture:
            live.console.print(live.frame())
    lines = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", capture.get()).splitlines()
    return [line.rstrip() for line in lines if line.strip()]


def test_a_running_node_is_one_line_with_its_last_words_and_amount() -> None:
    lines = frame(
        event(State.STARTED),
        event(State.PROGRESS, "[wheels 2/3] RUN uv", done=3, total=12),
        Event("push", "digits/cu129", State.PROGRESS, "layer", 5_000_000, 20_000_000, "bytes"),
    )
    assert len(lines) == 2
    assert re.search(r"build digits/cpu +0\.0 s 3/12 +\[wheels 2/3\] RUN uv", lines[0])
    assert re.search(r"push +digits/cu129 +0\.0 s .*5 MB of 20 MB +layer", lines[1])


def test_a_node_keeps_its_words_and_amounts_until_it_has_new_ones() -> None:
    lines = frame(
        event(State.STARTED, "soon"),
        event(State.PROGRESS, done=3, total=12),
        event(State.PROGRESS, "step"),
        event(State.PROGRESS),
    )
    assert re.search(r"3/12 +step", lines[0])


def test_more_nodes_than_lines_are_counted() -> None:
    lines = frame(*(event(State.STARTED, node=f"n{i}") for i in range(30)), height=10)
    assert len(lines) == 8
    assert lines[-1] == "... and 23 more"


def test_a_note_about_a_running_node_does_not_end_it() -> None:
    lines = frame(event(State.STARTED), event(State.NOTE, "moved"))
    assert len(lines) == 1


@pytest.mark.parametrize("live", [False, True])
def test_a_stream_that_breaks_never_reaches_the_worker(*, live: bool) -> None:
    with Progress(Broken(), live=live) as progress:
        for state in State:
            progress(event(state, "text"))


@pytest.mark.parametrize("live", [False, True])
def test_a_closed_stream_never_reaches_the_worker(*, live: bool) -> None:
    stream = io.StringIO()
    with Progress(stream, live=live) as progress:
        stream.close()
        progress(event(State.DONE))


def test_what_the_encoding_lacks_is_replaced() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    progress = Progress(stream, live=False)
    progress(event(State.NOTE, "größer"))
    stream.flush()
    assert raw.getvalue() == b"build digits/cpu: note: gr??er\n"


@pytest.mark.parametrize("live", [False, True])
def test_blocks_of_many_threads_never_mix(*, live: bool) -> None:
    stream = io.StringIO()
    with Progress(stream, live=live, colour=False) as progress:
        run(progress, threads=8, rounds=25)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", stream.getvalue())
    blocks = re.findall(r"build n(\d): failed after .* s: first\n  second\n  third (\d)\n", text)
    assert len(blocks) == 8 * 25
    assert all(one == other for one, other in blocks)


def run(listener: Callable[[Event], None], *, threads: int, rounds: int) -> None:
    def work(number: int) -> None:
        for _ in range(rounds):
            listener(event(State.STARTED, node=f"n{number}"))
            listener(event(State.PROGRESS, "words", node=f"n{number}"))
            listener(event(State.FAILED, f"first\nsecond\nthird {number}", node=f"n{number}"))

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
