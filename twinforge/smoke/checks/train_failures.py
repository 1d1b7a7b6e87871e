"""Training jobs that can't succeed; they run at the same time."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING

from twinforge.errors import SmokeError
from twinforge.smoke.bench import FAILURE, LONGEST_REASON, ended, telling
from twinforge.smoke.container import Mount
from twinforge.smoke.modelfiles import MODEL
from twinforge.smoke.optml import (
    UNKNOWN_HYPERPARAMETER,
    write_broken_job,
    write_changed_job,
    write_job_without_channels,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from twinforge.smoke.bench import Bench, Step
    from twinforge.smoke.running import Running

__all__ = ["failure_checks"]

_LONGEST_LINE = 200
_UNKNOWN = next(iter(UNKNOWN_HYPERPARAMETER))


@contextmanager
def failure_checks(bench: Bench) -> Iterator[Mapping[str, Step]]:
    """Start the jobs that are asked for, and give the steps of the group ``train-failures``."""
    train, root = bench.train, bench.root
    jobs: dict[str, tuple[str, str, Callable[[Path], None]]] = {
        "train.fails-properly": (
            "without channels and with an unknown hyperparameter",
            "",
            lambda folder: write_broken_job(folder, train),
        ),
        "train.unknown-hyperparameter": (
            "with an unknown hyperparameter",
            _UNKNOWN,
            lambda folder: write_changed_job(
                folder, train, root, hyperparameters=UNKNOWN_HYPERPARAMETER
            ),
        ),
        "train.missing-channel": (
            "without its channels",
            "",
            lambda folder: write_job_without_channels(folder, train),
        ),
    }
    with ExitStack() as stack:
        steps: dict[str, Step] = {}
        for name, (what, named, fill) in jobs.items():
            if name in bench.asked and not bench.record.lacks(name):
                model = stack.enter_context(bench.containers.volume())
                job = stack.enter_context(bench.job(name, fill, [Mount(model, MODEL)]))
                steps[name] = partial(_fails, bench, job, what, named)
            else:
                steps[name] = partial(_fails, bench, None, what, named)
        yield steps


def _fails(bench: Bench, job: Running | None, what: str, named: str) -> str:
    limit_s = bench.limits.train_s
    if job is None:
        message = f"'train' {what} was not started"
        raise SmokeError(message)
    with telling(job):
        status = job.wait(limit_s)
        reason = (job.read_text(FAILURE) or "").strip()
        if status is None or status == 0:
            message = f"'train' {what} {ended(status, limit_s)}"
            raise SmokeError(message)
        if not reason:
            message = f"'train' ended with status {status} and did not write {FAILURE}"
            raise SmokeError(message)
        shown = reason[:LONGEST_REASON]
        if named not in shown:
            message = f"{FAILURE} does not name the hyperparameter '{named}': {shown}"
            raise SmokeError(message)
    return f"status {status}: {shown.splitlines()[0][:_LONGEST_LINE]}"
