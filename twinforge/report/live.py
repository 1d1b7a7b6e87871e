"""The live lines of a terminal, one per running node, drawn by rich below what has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from twinforge.events import State
from twinforge.report.text import clean, human_bytes, human_seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.console import RenderableType

    from twinforge.events import Event
    from twinforge.report.progress import Running, Sink

__all__ = ["LiveLines"]

_PER_SECOND = 8
_BAR_WIDTH = 16
_COLOURS = {State.DONE: "green", State.FAILED: "red", State.NOTE: "yellow", State.SKIPPED: "cyan"}


class LiveLines:
    """Redraws the running nodes some times a second, from a thread of its own.

    Args:
        sink: Where it writes; it never fails.
        running: Returns the nodes that run, in the order in which they began.
        colour: Whether colours may be used.
        clock: Returns seconds, of the same origin as the nodes' own.
    """

    def __init__(
        self,
        sink: Sink,
        running: Callable[[], Sequence[Running]],
        *,
        colour: bool,
        clock: Callable[[], float],
    ) -> None:
        self._running = running
        self._clock = clock
        self.console = Console(
            file=sink,  # type: ignore[arg-type]  # what rich uses of a file is there
            force_terminal=True,
            color_system="standard" if colour else None,
            highlight=False,
            markup=False,
            emoji=False,
            soft_wrap=True,
            _environ={},  # the environment is read by the command line only
        )
        self._live = Live(
            console=self.console,
            get_renderable=self.frame,
            refresh_per_second=_PER_SECOND,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def start(self) -> None:
        """Begin to draw."""
        self._live.start()

    def stop(self) -> None:
        """Take the lines away."""
        self._live.stop()

    def print_above(self, state: State, block: str) -> None:
        """Print lines that stay, whole, above those that change; the first in the state's colour."""
        first, _, rest = block.partition("\n")
        text = Text(first, style=_COLOURS.get(state, ""))
        if rest:
            text.append(f"\n{rest}", style="default")
        self.console.print(text)

    def frame(self) -> RenderableType:
        """Return the running nodes, no more of them than the terminal has lines for."""
        running = self._running()
        if not running:
            return Text("")
        room = max(1, self.console.height - 2)
        shown = running if len(running) <= room else running[: room - 1]
        parts: list[RenderableType] = [self._lines(shown)]
        if len(shown) < len(running):
            parts.append(Text(f"... and {len(running) - len(shown)} more", style="dim"))
        return Group(*parts)

    def _lines(self, running: Sequence[Running]) -> RenderableType:
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
                Text(clean(event.text).strip().partition("\n")[0], style="dim"),
            )
        return table


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
