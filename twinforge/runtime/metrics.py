"""The metrics that a trainer declares: whether its log has them, as SageMaker will look for them.

Source: "Define training metrics" of the developer guide: a regular expression with one group.
"""

from __future__ import annotations

import re
import signal
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from twinforge.runtime.job import JobError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["MOST_METRICS", "Metrics", "check_metrics"]

MOST_METRICS = 40
_LONGEST_NAME = 255
_LONGEST_REGEX = 500
_LONGEST_LINE = 65536
_LOOK_S = 1.0
"""How much of the processor's time a metric may take for one piece of the log."""


class _TooSlowError(Exception):
    """A regular expression has taken its time."""


@dataclass
class _Seen:
    regex: re.Pattern[str]
    count: int = 0
    last: str = ""
    is_too_slow: bool = False


@dataclass
class Metrics:
    """Looks for metrics in a log that comes in pieces; only the main thread can do that.

    Some expressions never end on some lines, and the trainer would wait for its log to be read.
    Such a metric is looked for no longer.
    """

    _seen: dict[str, _Seen] = field(default_factory=dict)
    _unread: str = ""

    def declare(self, regexes: Mapping[str, str]) -> None:
        """Look for these metrics from now on; they were checked already."""
        self._seen = {name: _Seen(re.compile(regex)) for name, regex in regexes.items()}

    def feed(self, text: str) -> None:
        """Take a piece of the log; a line counts when it is complete."""
        if not self._seen:
            return
        # A progress bar ends its lines with a carriage return.
        *lines, rest = re.split(r"[\r\n]", self._unread + text)
        self._unread = rest[-_LONGEST_LINE:]
        self._look(lines)

    def report(self) -> tuple[tuple[str, int, str], ...]:
        """Return name, how often it was found, and its last value, of each metric."""
        self._look([self._unread])
        self._unread = ""
        return tuple((name, seen.count, seen.last) for name, seen in self._seen.items())

    def too_slow(self) -> tuple[str, ...]:
        """Return the metrics that were given up."""
        return tuple(name for name, seen in self._seen.items() if seen.is_too_slow)

    def _look(self, lines: list[str]) -> None:
        for seen in self._seen.values():
            if seen.is_too_slow:
                continue
            try:
                with _within(_LOOK_S):
                    for line in lines:
                        for match in seen.regex.finditer(line):
                            if match[1] is not None:
                                seen.count += 1
                                seen.last = match[1]
            except _TooSlowError:
                seen.is_too_slow = True


@contextmanager
def _within(seconds: float) -> Iterator[None]:
    """Interrupt what takes more of the processor's time, which ``re`` allows.

    Raises:
        _TooSlowError: It did.
    """

    def interrupt(*_: object) -> None:
        raise _TooSlowError

    before = signal.signal(signal.SIGVTALRM, interrupt)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def check_metrics(declared: object) -> dict[str, str]:
    """Return declared metrics that SageMaker would take.

    Raises:
        JobError: They are none; the text says what is wrong with which.
    """
    if not isinstance(declared, dict):
        message = "METRICS is not a mapping of names to regular expressions"
        raise JobError(message)
    if len(declared) > MOST_METRICS:
        message = f"METRICS has {len(declared)} metrics, and a job takes {MOST_METRICS}"
        raise JobError(message)
    for name, regex in declared.items():
        if not isinstance(name, str) or not isinstance(regex, str):
            message = f"the metric {name!r} is not a text with a regular expression"
            raise JobError(message)
        if len(name) > _LONGEST_NAME or len(regex) > _LONGEST_REGEX:
            message = f"the metric '{name[:40]}' is longer than SageMaker takes"
            raise JobError(message)
        try:
            groups = re.compile(regex).groups
        except re.error as error:
            message = f"the metric '{name}' has a regular expression that is wrong: {error}"
            raise JobError(message) from error
        if groups != 1:
            message = f"the metric '{name}' has {groups} groups in its regular expression, not 1"
            raise JobError(message)
    return declared
