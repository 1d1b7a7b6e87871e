"""From samples to the table of ``RESULTS.md``."""

from __future__ import annotations

import os
import platform
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from twinforge.report.text import human_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twinforge.engine.engine import Engine, Status

__all__ = ["Metric", "Result", "Sample", "machine_line", "markdown"]

Sample = dict[str, float]
"""One measurement: value by the metric's name."""


@dataclass(frozen=True, slots=True)
class Metric:
    """What one column of samples is and what it must reach.

    Attributes:
        name: The key of a sample.
        unit: ``s``, ``bytes``, or empty for a plain number.
        limit: What must not be exceeded; None where there is no target.
        is_ratio: Whether the limit is for our median over the peer's, and not for ours alone.
        takes_worst: Whether the worst sample counts instead of the median.
    """

    name: str
    unit: str
    limit: float | None = None
    is_ratio: bool = False
    takes_worst: bool = False

    def combine(self, values: Sequence[float]) -> float:
        """Return the value that stands for all rounds."""
        return max(values) if self.takes_worst else statistics.median(values)


@dataclass(frozen=True, slots=True)
class Result:
    """A scenario's samples of all rounds, or the reason why there are none."""

    title: str
    metrics: tuple[Metric, ...]
    ours: tuple[Sample, ...] = ()
    peer: tuple[Sample, ...] = ()
    failure: str = ""

    @property
    def is_met(self) -> bool:
        """Whether it was measured and every target is reached."""
        return not self.failure and all(
            _is_met(metric, self.ours, self.peer) is not False for metric in self.metrics
        )


def markdown(
    results: Sequence[Result], *, rounds: int, machine: str, command: str, date: str
) -> str:
    """Return the whole file. It names no host and no path."""
    lines = [
        "# Results",
        "",
        "Twinforge against two hand-written Dockerfiles with the same pins (see `handwritten/`),",
        "built by one `docker buildx bake`; on one machine, each scenario in one run, the two alternating.",
        f"Where nothing else is said, a value is the median of {rounds} rounds.",
        "",
        f"- Machine: {machine}",
        f"- Command: `{command}`",
        f"- Date: {date}",
        "",
        "| scenario | measure | Twinforge | hand-written | ratio | target | reached |",
        "| --- | --- | ---: | ---: | ---: | ---: | --- |",
    ]
    for result in results:
        if result.failure:
            lines.append(f"| {result.title} | not measured: {result.failure} | | | | | **no** |")
            continue
        lines += [_row(result, metric) for metric in result.metrics]
    lines += ["", "## Every round", "", "| scenario | measure | Twinforge | hand-written |"]
    lines.append("| --- | --- | --- | --- |")
    for result in results:
        for metric in () if result.failure else result.metrics:
            ours, peer = (
                ", ".join(_shown(metric, sample[metric.name]) for sample in samples) or "-"
                for samples in (result.ours, result.peer)
            )
            lines.append(f"| {result.title} | {metric.name} | {ours} | {peer} |")
    return "\n".join(lines) + "\n"


def machine_line(engine: Engine, status: Status) -> str:
    """Say what was measured on, without the machine's name."""
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    system = platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    processor = f"{len(os.sched_getaffinity(0))} cores ({_processor()})"
    return (
        f"{processor}, {human_bytes(memory_bytes)} of memory, {system}, Python "
        f"{platform.python_version()}, Docker Engine {engine.version} ({status.storage_driver}), "
        f"buildx {engine.buildx}"
    )


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text("utf-8")
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in text.splitlines() if "model name" in line]
    return names[0] if names else platform.machine()


def _row(result: Result, metric: Metric) -> str:
    ours = metric.combine([sample[metric.name] for sample in result.ours])
    theirs = [sample[metric.name] for sample in result.peer if metric.name in sample]
    peer = metric.combine(theirs) if theirs else None
    ratio = f"{ours / peer:.2f}" if peer else "-"
    target = "-"
    if metric.limit is not None:
        shown = f"{metric.limit:.2f}" if metric.is_ratio else _shown(metric, metric.limit)
        target = f"at most {shown}"
    met = {True: "yes", False: "**no**", None: ""}[_is_met(metric, result.ours, result.peer)]
    worst = " (worst)" if metric.takes_worst else ""
    cells = [
        result.title,
        metric.name + worst,
        _shown(metric, ours),
        "-" if peer is None else _shown(metric, peer),
        ratio,
        target,
        met,
    ]
    return f"| {' | '.join(cells)} |"


def _is_met(metric: Metric, ours: Sequence[Sample], peer: Sequence[Sample]) -> bool | None:
    if metric.limit is None:
        return None
    value = metric.combine([sample[metric.name] for sample in ours])
    if not metric.is_ratio:
        return value <= metric.limit
    return value <= metric.limit * metric.combine([sample[metric.name] for sample in peer])


def _shown(metric: Metric, value: float) -> str:
    if metric.unit == "bytes":
        return human_bytes(round(value))
    if metric.unit == "s":
        return f"{value:.2f} s"
    return f"{value:g}" if value == int(value) else f"{value:.2f}"
