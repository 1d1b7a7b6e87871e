"""The process that ``serve`` is: it owns the port, starts the others, replaces those that die.

The first process loads the model alone. What it then holds says how many more fit into memory, and
the port opens when it is ready. All listen at one socket, so that a connection which one of them had
not accepted yet is another's when it dies.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import sys
import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from twinforge.runtime.children import Child, fork
from twinforge.runtime.failure import LONGEST_REASON
from twinforge.runtime.logs import log
from twinforge.runtime.machine import resident_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from twinforge.runtime.machine import Machine
    from twinforge.runtime.settings import Settings
    from twinforge.runtime.watch import Watch
    from twinforge.runtime.worker import Place

__all__ = ["Supervisor", "workers_that_fit"]

_SHARE = 0.85
"""The share of the memory that workers may have; the rest is for requests and the parent."""

_STEADY_S = 30.0
_LONGEST_PAUSE_S = 30.0
_MOST_FAILURES = 5
_KILL_AFTER_S = 3.0
_TICK_S = 1.0


def workers_that_fit(wanted: int, each_bytes: int, memory_bytes: int) -> int:
    """Return how many workers of this size the memory has room for; 1 at least.

    >>> workers_that_fit(8, 2_000, 10_000)
    4
    """
    if not each_bytes or not memory_bytes:
        return wanted
    return max(1, min(wanted, int(_SHARE * memory_bytes) // each_bytes))


@dataclass
class _Slot:
    """A worker's place: how often it failed in a row, and when it may start again."""

    failures: int = 0
    not_before_s: float = 0.0
    worker: Child | None = None


@dataclass
class Supervisor:
    """Runs workers until SIGTERM.

    Attributes:
        settings: How to serve.
        machine: What there is.
        run: What a worker does, in a process of its own; returns its exit status.
        make_place: Makes what a worker is given: number, socket, voice, models and watch.
    """

    settings: Settings
    machine: Machine
    run: Callable[[Place], int]
    make_place: Callable[..., Place]
    _slots: list[_Slot] = field(default_factory=list)
    _has_served: bool = False
    _is_stopping: bool = False
    _models: dict[str, str] = field(default_factory=dict)
    _last_line: str = ""

    def serve(self) -> int:
        """Serve, and return the exit status: 0 after SIGTERM, 1 where no worker can."""
        port = self._bind()
        if port is None:
            return 1
        wake_read, wake_write = os.pipe()
        os.set_blocking(wake_read, False)
        os.set_blocking(wake_write, False)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
            signal.signal(number, _ignore)
        self._slots = [_Slot()]
        try:
            while not self._is_stopping and not self._last_line:
                self._start_missing(port)
                self._wait([wake_read])
                self._read_signals(wake_read)
                self._reap()
                self._end_late()
        finally:
            port.close()
            self._stop(wake_read)
        if self._last_line:
            log("error", "the container ends", why=self._last_line)
            sys.stderr.write(f"serve: {self._last_line}\n")
            return 1
        log("info", "stopped")
        return 0

    def _bind(self) -> socket.socket | None:
        """Take the port; nothing listens at it before a worker does."""
        port = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        port.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        port.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            port.bind((self.settings.host, self.settings.port))
        except OSError as error:
            port.close()
            reason = f"port {self.settings.port} can't be had: {error.strerror}"
            sys.stderr.write(f"serve: {reason}\n")
            return None
        return port

    def _start_missing(self, port: socket.socket) -> None:
        now_s = time.monotonic()
        for number, slot in enumerate(self._slots):
            if slot.worker is None and slot.not_before_s <= now_s:
                living = [one.worker for one in self._slots if one.worker is not None]
                work = partial(self._work, number, port)
                slot.worker = fork(number, self.settings, living, work)

    def _work(
        self, number: int, port: socket.socket, tell: Callable[[str], None], watch: Watch
    ) -> int:
        """Be a worker, which has its GPUs and cores before its framework is imported."""
        if len(self.settings.gpus) > 1:
            os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(self.settings.gpus_of(number))
        share = max(1, self.machine.cores // self.settings.workers)
        os.environ.setdefault("OMP_NUM_THREADS", str(share))
        place = self.make_place(
            number=number, port=port, tell=tell, models=self._models, watch=watch
        )
        return self.run(place)

    def _wait(self, fds: Iterable[int]) -> None:
        """Wait for a signal or a line of a worker, and read the lines."""
        pipes = {slot.worker.pipe: slot.worker for slot in self._slots if slot.worker}
        ready, _, _ = select.select([*fds, *pipes], [], [], _TICK_S)
        for fd in ready:
            if fd in pipes:
                self._hear(pipes[fd])

    def _hear(self, worker: Child) -> None:
        for word, rest in worker.hear():
            if word == "loaded":
                self._on_loaded(worker)
            elif word == "failed":
                worker.reason = rest[:LONGEST_REASON]
            elif word == "models":
                self._models = json.loads(rest)

    def _on_loaded(self, worker: Child) -> None:
        worker.is_loaded = True
        if self._has_served:
            return
        self._has_served = True
        each = resident_bytes(worker.pid)
        count = workers_that_fit(self.settings.workers, each, self.machine.memory_bytes)
        self._slots += [_Slot() for _ in range(count - len(self._slots))]
        log(
            "info",
            "ready",
            port=self.settings.port,
            workers=count,
            threads=self.settings.threads,
            cores=self.machine.cores,
            gpus=self.machine.gpus,
            bytes_of_a_worker=each,
        )

    def _read_signals(self, wake: int) -> None:
        with contextlib.suppress(BlockingIOError):
            numbers = os.read(wake, 4096)
            if signal.SIGTERM in numbers or signal.SIGINT in numbers:
                self._is_stopping = True

    def _reap(self) -> None:
        for pid, status in _dead():
            slot = next((one for one in self._slots if one.worker and one.worker.pid == pid), None)
            if slot is None or slot.worker is None:
                continue  # an orphan that a worker left, which PID 1 inherits
            worker = slot.worker
            self._hear(worker)
            os.close(worker.pipe)
            slot.worker = None
            if not self._is_stopping:
                self._on_death(slot, worker, os.waitstatus_to_exitcode(status))

    def _end_late(self) -> None:
        """End the workers in which a prediction takes too long."""
        for slot in self._slots:
            worker = slot.worker
            if worker is None:
                continue
            late = worker.patience.look()
            if late is not None:
                worker.is_late = True
                log(
                    "error",
                    "a prediction takes too long, and its worker is replaced",
                    worker=worker.number,
                    late=worker.pid,
                    took_s=round(late.took_s, 1),
                    limit_s=late.limit_s,
                    sender="has gone" if late.is_left else "waits",
                    hint="SAGEMAKER_MODEL_SERVER_TIMEOUT sets how many seconds a prediction may take",
                )
            if worker.patience.is_over():
                _kill(worker.pid, signal.SIGKILL)

    def _on_death(self, slot: _Slot, worker: Child, code: int) -> None:
        how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"status {code}"
        now_s = time.monotonic()
        if worker.is_loaded and now_s - worker.started_s >= _STEADY_S:
            slot.failures = 0
        # That the predictor took too long says nothing of the next worker.
        slot.failures = 1 if worker.is_late else slot.failures + 1
        pause_s = 0.0 if slot.failures == 1 else min(2.0 ** (slot.failures - 2), _LONGEST_PAUSE_S)
        slot.not_before_s = now_s + pause_s
        if not worker.is_loaded:
            reason = worker.reason or f"its process was {how}{_memory_hint(code)}"
            some_serve = any(one.worker and one.worker.is_loaded for one in self._slots)
            if not self._has_served or (slot.failures >= _MOST_FAILURES and not some_serve):
                self._last_line = f"the model can't be loaded: {reason}"
                return
        log(
            "error",
            "a worker died and is replaced",
            worker=worker.number,
            how=how,
            died=worker.pid,
            why="a prediction took too long" if worker.is_late else worker.reason,
            pause_s=pause_s,
        )

    def _stop(self, wake: int) -> None:
        """Ask all workers to end, and make those that don't."""
        living = [slot.worker for slot in self._slots if slot.worker]
        for worker in living:
            _kill(worker.pid, signal.SIGTERM)
        deadline_s = time.monotonic() + self.settings.stop_s + _KILL_AFTER_S
        pids = {worker.pid for worker in living}
        while pids and time.monotonic() < deadline_s:
            select.select([wake], [], [], 0.1)
            with contextlib.suppress(BlockingIOError):
                os.read(wake, 4096)
            pids -= {pid for pid, _ in _dead()}
        for pid in pids:
            log("error", "a worker did not stop in time", died=pid)
            _kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _dead() -> Iterable[tuple[int, int]]:
    """Yield the children that ended, with their status, until none is left that has."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        yield pid, status


def _kill(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _memory_hint(code: int) -> str:
    return ", perhaps because memory ran out" if code == -signal.SIGKILL else ""


def _ignore(*_: object) -> None:
    """Let a signal only wake the loop."""
