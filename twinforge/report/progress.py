"""Progress of a run: live lines on a terminal, one plain line per event elsewhere.

Everything goes to one stream, the error stream of the process: its output stays for results.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace
from typing import IO, TYPE_CHECKING, Self

from twinforge.events import State
from twinforge.report.text import clean, human_seconds

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from twinforge.events import Event
    from twinforge.report.live import LiveLines

__all__ = ["Progress", "Running", "Sink"]

_ENDS = (State.DONE, State.SKIPPED, State.FAILED)


@dataclass(frozen=True, slots=True)
class Running:
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
        self._sink = Sink(stream)
        self._is_live = live and not quiet
        self._colour = colour and live
        self._quiet = quiet
        self._clock = clock
        # Held only around the table of running nodes and never while drawing: the thread that
        # redraws holds the console's lock when it asks for the table.
        self._lock = threading.Lock()
        self._running: dict[tuple[str, str], Running] = {}
        self._live: LiveLines | None = None

    def __enter__(self) -> Self:
        """Start to draw."""
        if self._is_live:
            # rich takes as long to import as all else here, and only a terminal needs it.
            from twinforge.report.live import LiveLines  # noqa: PLC0415

            self._live = LiveLines(self._sink, self._table, colour=self._colour, clock=self._clock)
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
            live, self._live = self._live, None
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
        live = self._live
        if live is not None:
            live.print_above(state, block)
            return
        self._sink.write(f"{block}\n")  # one call, so that lines of threads never mix
        self._sink.flush()

    def _table(self) -> list[Running]:
        with self._lock:
            return list(self._running.values())


class Sink:
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


def _merged(before: Running | None, event: Event, now_s: float) -> Running:
    """Keep the last words and amounts of a node that says nothing new."""
    if before is None or event.state is State.STARTED:
        return Running(now_s, event)
    last = before.event
    text = event.text or last.text
    if event.done or event.total:
        return Running(before.since_s, replace(event, text=text))
    return Running(
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
