"""Progress of a run: live lines on a terminal, one plain line per event elsewhere.

Everything goes to one stream, the error stream of the process: its output stays for results.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace
from typing import IO, TYPE_CHECKING, Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from twinforge.events import State
from twinforge.report.text import clean, human_bytes, human_seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from rich.console import RenderableType

    from twinforge.events import Event

__all__ = ["Progress"]

_PER_SECOND = 8
_BAR_WIDTH = 16
_ENDS = (State.DONE, State.SKIPPED, State.FAILED)
_COLOURS = {State.DONE: "green", State.FAILED: "red", State.NOTE: "yellow", State.SKIPPED: "cyan"}


@dataclass(frozen=True, slots=True)
class _Running:
    """A node between its first event and its last."""

    since_s: float
    event: Event


class Progress:
    """A :data:`twinforge.events.Listener` that shows a run; use it as a context manager.

    It takes events from any thread and never raises into the caller: a terminal that goes away must
    not end a build.

    Args:
        stream: Where it writes; ``sys.stderr`` for a program.
        live: Whether ``stream`` is a terminal that can be redrawn.
        colour: Whether colours may be used; only with ``live``.
        quiet: Show failures only.
        clock: Returns seconds; only differences count.
    """

    def __init__(
        self,
        stream: IO[str],
        *,
        live: bool,
        colour: bool = True,
        quiet: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sink = _Sink(stream)
        self._is_live = live and not quiet
        self._colour = colour and live
        self._quiet = quiet
        self._clock = clock
        # Held only around the table of running nodes and never while drawing: the thread that
        # redraws holds the console's lock when it asks for the table.
        self._lock = threading.Lock()
        self._running: dict[tuple[str, str], _Running] = {}
        self._console: Console | None = None
        self._live: Live | None = None

    def __enter__(self) -> Self:
        """Start to draw."""
        if self._is_live:
            self._console = Console(
                file=self._sink,  # type: ignore[arg-type]  # what rich uses of a file is there
                force_terminal=True,
                color_system="standard" if self._colour else None,
                highlight=False,
                markup=False,
                emoji=False,
                soft_wrap=True,
                _environ={},  # the environment is read by the command line only
            )
            self._live = Live(
                console=self._console,
                get_renderable=self._frame,
                refresh_per_second=_PER_SECOND,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Take the live lines away; what has ended stays."""
        if self._live is not None:
            live, self._live, self._console = self._live, None, None
            live.stop()

    def __call__(self, event: Event) -> None:
        """Show an event."""
        try:
            self._take(event)
        except Exception:  # noqa: BLE001 - drawing must never end the work that it draws
            self._sink.close()

    def _take(self, event: Event) -> None:
        now_s = self._clock()
        key = (event.stage, event.node)
        with self._lock:
            before = self._running.get(key)
            if event.state in _ENDS:
                self._running.pop(key, None)
            elif event.state is not State.NOTE:
                self._running[key] = _merged(before, event, now_s)
        if self._is_worth_a_line(event.state):
            took_s = now_s - before.since_s if before else None
            self._write(event.state, _block(event, took_s))

    def _is_worth_a_line(self, state: State) -> bool:
        if self._quiet:
            return state is State.FAILED
        if self._is_live:
            return state in _ENDS or state is State.NOTE
        return state is not State.PROGRESS

    def _write(self, state: State, block: str) -> None:
        console = self._console
        if console is None:
            self._sink.write(f"{block}\n")  # one call, so that lines of threads never mix
            self._sink.flush()
            return
        first, _, rest = block.partition("\n")
        text = Text(first, style=_COLOURS.get(state, ""))
        if rest:
            text.append(f"\n{rest}", style="default")
        console.print(text)

    def _frame(self) -> RenderableType:
        """Draw the running nodes, no more of them than the terminal has lines for."""
        with self._lock:
            running = list(self._running.values())
        console = self._console
        if console is None or not running:
            return Text("")
        room = max(1, console.height - 2)
        shown = running if len(running) <= room else running[: room - 1]
        parts: list[RenderableType] = [self._lines(shown)]
        if len(shown) < len(running):
            parts.append(Text(f"... and {len(running) - len(shown)} more", style="dim"))
        return Group(*parts)

    def _lines(self, running: Sequence[_Running]) -> RenderableType:
        table = Table.grid(padding=(0, 1), expand=True)
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True, justify="right")
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
        now_s = self._clock()
        for item in running:
            event = item.event
            table.add_row(
                Text(event.stage, style="bold"),
                Text(clean(event.node)),
                Text(human_seconds(now_s - item.since_s), style="dim"),
                _amount(event),
                Text(_first_line(event.text), style="dim"),
            )
        return table


class _Sink:
    """A stream that, once it has failed, swallows what it gets.

    rich answers a broken pipe by closing the process's standard output and exiting; neither is
    wanted of progress lines.

    Source: ``Console.on_broken_pipe`` of rich.
    """

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._is_closed = False

    @property
    def encoding(self) -> str:
        """The stream's encoding, by which rich chooses its box characters."""
        return getattr(self._stream, "encoding", None) or "utf-8"

    def write(self, text: str) -> int:
        """Write the text, with what the encoding lacks replaced."""
        if not self._is_closed:
            try:
                self._stream.write(text.encode(self.encoding, "replace").decode(self.encoding))
            except (OSError, ValueError):
                self.close()
        return len(text)

    def flush(self) -> None:
        """Flush the stream."""
        if not self._is_closed:
            try:
                self._stream.flush()
            except (OSError, ValueError):
                self.close()

    def isatty(self) -> bool:
        """Say no: whether it is a terminal was decided before."""
        return False

    def close(self) -> None:
        """Swallow everything from now on; the stream itself belongs to the caller."""
        self._is_closed = True


def _merged(before: _Running | None, event: Event, now_s: float) -> _Running:
    """Keep the last words and amounts of a node that says nothing new."""
    if before is None or event.state is State.STARTED:
        return _Running(now_s, event)
    last = before.event
    text = event.text or last.text
    if event.done or event.total:
        return _Running(before.since_s, replace(event, text=text))
    return _Running(
        before.since_s,
        replace(event, text=text, done=last.done, total=last.total, unit=last.unit),
    )


def _block(event: Event, took_s: float | None) -> str:
    """Return what stays of an event: a line, and the rest of its text indented below."""
    word = event.state.value
    if event.state in (State.DONE, State.FAILED) and took_s is not None:
        word += f" {'in' if event.state is State.DONE else 'after'} {human_seconds(took_s)}"
    lines = [line.rstrip() for line in clean(event.text).strip().split("\n")]
    where = f"{event.stage} {clean(event.node)}".rstrip()
    head = f"{where}: {word}" + (f": {lines[0]}" if lines[0] else "")
    return "\n".join([head, *(f"  {line}" for line in lines[1:])])


def _amount(event: Event) -> RenderableType:
    if not event.total:
        return Text(human_bytes(event.done) if event.unit == "bytes" and event.done else "")
    if event.unit != "bytes":
        return Text(f"{event.done}/{event.total}")
    row = Table.grid(padding=(0, 1))
    bar = ProgressBar(
        total=event.total, completed=event.done, width=_BAR_WIDTH, complete_style="green"
    )
    row.add_row(bar, Text(f"{human_bytes(event.done)} of {human_bytes(event.total)}"))
    return row


def _first_line(text: str) -> str:
    return clean(text).strip().partition("\n")[0]
