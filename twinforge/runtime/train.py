"""``train``: what a training job starts. It watches over the process in which the trainer runs.

So that a trainer which memory ran out for, or which crashed, leaves a reason, too; and so that its
log is seen as SageMaker sees it, with what native code prints.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from twinforge.runtime.failure import write_failure
from twinforge.runtime.metrics import Metrics
from twinforge.runtime.trainer import CONTROL, ROOT

__all__ = ["main"]

_GRACE_S = 115.0
"""SageMaker kills 120 s after SIGTERM; what is left is for the last lines of the log."""

_AFTER_S = 1.0
_TICK_S = 0.5
_PAUSE_S = 0.05


def main(*, grace_s: float = _GRACE_S) -> int:
    """Run the trainer, and return the exit status: 0, that of the trainer, or 128 + a signal.

    Args:
        grace_s: How long the trainer may take to stop after SIGTERM, before it is killed.
    """
    root = Path(os.environ.get(ROOT) or "/opt/ml")
    read, write = os.pipe()
    child = subprocess.Popen(
        # Of a crash in native code, the handler shows where it was.
        [sys.executable, "-u", "-X", "faulthandler", "-m", "twinforge.runtime.trainer"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        pass_fds=(write,),
        env={**os.environ, CONTROL: str(write)},
    )
    os.close(write)
    watch = _Watch(child, read, grace_s)
    signal.signal(signal.SIGTERM, lambda *_: watch.ask_to_stop())
    signal.signal(signal.SIGINT, lambda *_: watch.ask_to_stop())
    code = watch.until_it_ends()
    report = watch.metrics.report()
    for name, count, last in report:
        if name in watch.metrics.too_slow():
            said = "took too long for the log, and was given up"
            _say(f"warning: the regular expression of the metric '{name}' {said}")
        elif count:
            _say(f"the metric '{name}' was found {count} times, its last value is {last}")
        else:
            _say(f"warning: the metric '{name}' is declared, and the log never had it")
    status = code if code >= 0 else 128 - code
    if watch.is_stopping:
        _say(f"stopped, with status {status}")
    elif code:
        reason = write_failure(root, _why(code))
        if reason:
            _say(reason)
    return status


@dataclass
class _Watch:
    child: subprocess.Popen[bytes]
    control: int
    grace_s: float
    metrics: Metrics = field(default_factory=Metrics)
    is_stopping: bool = False
    _deadline_s: float = float("inf")
    _declared: bytes = b""
    _last: bytes = b"\n"
    _was_killed: bool = False

    def ask_to_stop(self) -> None:
        """Hand SIGTERM on; the trainer has its time from now."""
        if not self.is_stopping:
            self.is_stopping = True
            self._deadline_s = time.monotonic() + self.grace_s
            self.child.send_signal(signal.SIGTERM)

    def until_it_ends(self) -> int:
        """Pass the log on until the trainer ends, and return its status, negative for a signal."""
        assert self.child.stdout is not None  # noqa: S101 - it was started with a pipe
        ended_s = float("inf")
        os.set_blocking(self.control, False)
        with self.child.stdout as log, selectors.DefaultSelector() as selector:
            selector.register(log, selectors.EVENT_READ)
            selector.register(self.control, selectors.EVENT_READ)
            # What the trainer has started and left may hold its output open; that is not waited for.
            while log in selector.get_map() and time.monotonic() < ended_s + _AFTER_S:
                ready = {key.fd for key, _ in selector.select(_TICK_S)}
                # First, since what was declared before this was printed is there by now.
                if self.control in selector.get_map() and not self._take_declared():
                    selector.unregister(self.control)
                if log.fileno() in ready and not self._pass_on(log.fileno()):
                    selector.unregister(log)
                if ended_s == float("inf") and self._has_ended():
                    ended_s = time.monotonic()
        while not self._has_ended():
            time.sleep(_PAUSE_S)
        os.close(self.control)
        if not self._last.endswith(b"\n"):
            sys.stdout.write("\n")  # what we say is no part of the trainer's last line
        if self._was_killed:
            _say(f"the trainer did not stop within {self.grace_s:g} s and was killed")
        return self.child.wait()

    def _has_ended(self) -> bool:
        """Whether the trainer has ended; one whose time is over is killed."""
        if time.monotonic() > self._deadline_s and self.child.poll() is None:
            self._was_killed = True
            self.child.kill()
            self.child.wait()
        return self.child.poll() is not None

    def _take_declared(self) -> bool:
        """Take what there is of the declared metrics; False at the end."""
        try:
            data = os.read(self.control, 65536)
        except BlockingIOError:
            return True
        self._declared += data
        if self._declared.endswith(b"\n"):
            self.metrics.declare(json.loads(self._declared))
            self._declared = b""
        return bool(data)

    def _pass_on(self, log: int) -> bool:
        """Take what there is to read; False at the end."""
        data = os.read(log, 65536)
        self._last = data or self._last
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        self.metrics.feed(data.decode(errors="replace"))
        return bool(data)


def _why(code: int) -> str:
    if code < 0:
        hint = ", perhaps because memory ran out" if code == -signal.SIGKILL else ""
        return f"the trainer was killed by {signal.Signals(-code).name}{hint}"
    return f"the trainer ended with status {code}"


def _say(text: str) -> None:
    sys.stdout.flush()
    sys.stdout.write(f"train: {text}\n")
    sys.stdout.flush()
