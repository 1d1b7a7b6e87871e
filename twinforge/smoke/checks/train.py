"""A training job that must succeed."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from twinforge.errors import SmokeError
from twinforge.smoke.bench import FAILURE, LONGEST_REASON, ended, telling
from twinforge.smoke.confinement import BRIDGE
from twinforge.smoke.container import Mount
from twinforge.smoke.contract import NOT_RUN
from twinforge.smoke.installers import judge_installers
from twinforge.smoke.modelfiles import MODEL, judge_model
from twinforge.smoke.optml import write_job
from twinforge.smoke.watching import watching

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from twinforge.smoke.bench import Bench, Step
    from twinforge.smoke.running import Running

__all__ = ["finish", "train_checks"]

_AGAIN_S = 60.0


@contextmanager
def train_checks(bench: Bench) -> Iterator[Mapping[str, Step]]:
    """Give the steps of the group ``train``."""
    run = _Run(bench)
    yield {
        "train": run.train,
        "train.no-network": run.no_network,
        "train.no-installer": run.no_installer,
    }


@dataclass(slots=True)
class _Run:
    """The run, and what was seen of it from outside."""

    bench: Bench
    lines: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()

    def train(self) -> str:
        bench, limit_s = self.bench, self.bench.limits.train_s
        started = time.monotonic()
        with (
            bench.job("train", self._fill, [Mount(bench.model, MODEL)]) as job,
            telling(job),
            watching(job) as seen,
        ):
            status = job.wait(limit_s)
            bench.train_s = time.monotonic() - started
            self.lines, self.changes = seen.lines, job.changes()
            return finish(job, status, limit_s)

    def no_network(self) -> str:
        bench = self.bench
        if bench.record.has_passed("train"):
            return "trained without a network"
        # It failed: with a network it would, perhaps, have gone well.
        limit_s = min(_AGAIN_S, bench.limits.train_s)
        try:
            with bench.containers.volume() as model:
                mounts = [Mount(model, MODEL)]
                with bench.job("train.no-network", self._fill, mounts, network=BRIDGE) as job:
                    finish(job, job.wait(limit_s), limit_s)
        except SmokeError as error:
            message = f"{NOT_RUN}: 'train' does not succeed with a network either"
            raise SmokeError(message) from error
        message = "'train' succeeds with a network, and fails without one"
        raise SmokeError(message)

    def no_installer(self) -> str:
        wrong = judge_installers(self.lines, self.changes)
        if wrong:
            message = f"while 'train' ran, {wrong}"
            raise SmokeError(message)
        return f"{len(self.lines)} processes, none of them installs; no package changed"

    def _fill(self, folder: Path) -> None:
        write_job(folder, self.bench.train, self.bench.root)


def finish(job: Running, status: int | None, limit_s: float) -> str:
    """Return in a few words how well a run ended.

    Raises:
        SmokeError: It did not end well.
    """
    reason = job.read_text(FAILURE)
    if status != 0:
        said = f", {FAILURE} says: {reason[:LONGEST_REASON]}" if reason else ""
        message = f"'train' {ended(status, limit_s)}{said}"
        raise SmokeError(message)
    if reason is not None:
        message = f"'train' ended with status 0 and yet wrote {FAILURE}: {reason[:LONGEST_REASON]}"
        raise SmokeError(message)
    return judge_model(job.entries(MODEL))
