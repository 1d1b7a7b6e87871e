"""A training job that is stopped in its middle, and one that goes on from where it was."""

from __future__ import annotations

import re
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from twinforge.errors import SmokeError
from twinforge.smoke.bench import ended, telling
from twinforge.smoke.checks.stopping import refuse_stop_signal
from twinforge.smoke.checks.train import finish
from twinforge.smoke.container import Mount
from twinforge.smoke.modelfiles import MODEL, name_files
from twinforge.smoke.optml import write_changed_job, write_job

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from twinforge.smoke.bench import Bench, Step
    from twinforge.smoke.modelfiles import Entry
    from twinforge.smoke.running import Running

__all__ = ["stop_checks"]

CHECKPOINTS = "/opt/ml/checkpoints"
_POLL_S = 0.1
_DEAF_S = 1.0
_DEAF = (
    "SIGTERM does nothing: the first process has no handler for it, and went on to its end; use "
    "exec in shells, and see smoke.train.stop where it gets one late"
)
_TOO_SHORT = "the run is over sooner than it can be stopped; see smoke.train.stop"


@contextmanager
def stop_checks(bench: Bench) -> Iterator[Mapping[str, Step]]:
    """Give the steps of the group ``train-stop``; they share a volume for the checkpoints."""
    with bench.containers.volume() as checkpoints:
        runs = _Runs(bench, checkpoints)
        yield {
            "train.stop": runs.stop,
            "train.checkpoints": runs.checkpoints,
            "train.resumes": runs.resume,
        }


@dataclass(slots=True)
class _Runs:
    """The runs that share a volume of checkpoints."""

    bench: Bench
    volume: str
    kept: tuple[Entry, ...] = ()

    def stop(self) -> str:
        """Stop a run in its middle; one that was over by then, at its beginning."""
        return self._stop(at_once=False) or self._stop(at_once=True) or _TOO_SHORT

    def _stop(self, *, at_once: bool) -> str:
        """Stop a run and return how that went; nothing where it was over before."""
        bench, limit_s = self.bench, self.bench.limits.train_stop_s
        changed = bench.train.stop.hyperparameters
        with bench.containers.volume() as model:
            mounts = [Mount(model, MODEL), Mount(self.volume, CHECKPOINTS)]
            with (
                bench.job(
                    "train.stop",
                    lambda folder: write_changed_job(
                        folder, bench.train, bench.root, hyperparameters=changed
                    ),
                    mounts,
                ) as job,
                telling(job),
            ):
                if not at_once:
                    self._run_to_the_middle(job)
                if job.exit_status() is not None:
                    return ""
                started = time.monotonic()
                job.terminate()
                status = job.wait(limit_s)
                self.kept = job.entries(CHECKPOINTS)
                if status is None:
                    message = f"after SIGTERM, 'train' {ended(status, limit_s)}"
                    raise SmokeError(message)
                refuse_stop_signal(bench.facts.stop_signal, "train")
                return f"status {status} {time.monotonic() - started:.2f} s after SIGTERM"

    def checkpoints(self) -> str:
        files = [entry for entry in self.kept if entry.kind == "file"]
        if not files:
            message = f"'train', stopped in its middle, left no file in {CHECKPOINTS}"
            raise SmokeError(message)
        return name_files(files)

    def resume(self) -> str:
        bench, limit_s = self.bench, self.bench.limits.train_s
        with bench.containers.volume() as model:
            mounts = [Mount(model, MODEL), Mount(self.volume, CHECKPOINTS)]
            with (
                bench.job(
                    "train.resumes",
                    lambda folder: write_job(folder, bench.train, bench.root),
                    mounts,
                ) as job,
                telling(job),
            ):
                left = finish(job, job.wait(limit_s), limit_s)
                said = re.search(bench.train.resumes, job.logs(), re.MULTILINE)
        if said is None:
            message = f"the log does not say '{bench.train.resumes}': it began anew"
            raise SmokeError(message)
        return f"'{said[0]}', {left}"

    def _run_to_the_middle(self, job: Running) -> None:
        """Wait until the run may be stopped, or is over.

        Without an expression, half of its time is over then, and it listens. A signal to who never
        does would change nothing, and its end would look like an answer.

        Raises:
            SmokeError: The log did not say what it must, or the run did not listen up to its end.
        """
        after = self.bench.train.stop.after
        patience_s = self.bench.limits.train_s if after else self.bench.train_s / 2
        end = time.monotonic() + patience_s
        while time.monotonic() < end:
            if job.exit_status() is not None:
                return
            if after and re.search(after, job.logs(), re.MULTILINE):
                return
            job.pause(_POLL_S)
        if not after:
            self._wait_until_it_listens(job)
        else:
            message = f"the log did not say '{after}' within {patience_s:g} s"
            raise SmokeError(message)

    def _wait_until_it_listens(self, job: Running) -> None:
        began = time.monotonic()
        waited_s = 0.0
        while waited_s < self.bench.limits.train_s:
            hears, is_over = job.hears_sigterm(), job.exit_status() is not None
            waited_s = time.monotonic() - began
            if is_over and waited_s > _DEAF_S:
                raise SmokeError(_DEAF)
            if is_over or hears:
                return
            job.pause(_POLL_S)
