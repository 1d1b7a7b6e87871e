"""Training jobs: one that must succeed, and those that must fail, end or go on as they should."""

from __future__ import annotations

import time
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from twinforge.errors import SmokeError
from twinforge.smoke.bench import FAILURE, ended
from twinforge.smoke.container import Mount
from twinforge.smoke.modelfiles import MODEL, judge_model
from twinforge.smoke.optml import write_broken_job, write_job

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from twinforge.smoke.bench import Bench, Step

__all__ = ["train_checks"]


@contextmanager
def train_checks(bench: Bench) -> Iterator[Mapping[str, Step]]:
    """Give the steps of the group ``train``."""
    yield {
        "train": partial(_train, bench),
        "train.fails-properly": partial(_fails, bench),
    }


def _train(bench: Bench) -> str:
    train, limit_s = bench.train, bench.limits.train_s
    started = time.monotonic()
    with bench.job(
        "train", lambda folder: write_job(folder, train, bench.root), [Mount(bench.model, MODEL)]
    ) as job:
        status = job.wait(limit_s)
        bench.train_s = time.monotonic() - started
        if status != 0:
            reason = job.read_text(FAILURE)
            said = f", {FAILURE} says: {reason}" if reason else ""
            message = f"'train' {ended(status, limit_s)}{said}"
            raise SmokeError(message)
        if (reason := job.read_text(FAILURE)) is not None:
            message = f"'train' ended with status 0 and yet wrote {FAILURE}: {reason}"
            raise SmokeError(message)
        return judge_model(job.entries(MODEL))


def _fails(bench: Bench) -> str:
    train, limit_s = bench.train, bench.limits.train_s
    with bench.containers.volume() as model:
        mounts = [Mount(model, MODEL)]
        with bench.job(
            "train.fails-properly", lambda folder: write_broken_job(folder, train), mounts
        ) as job:
            status = job.wait(limit_s)
            reason = job.read_text(FAILURE)
            what = "without channels and with an unknown hyperparameter"
            if status is None or status == 0:
                message = f"'train' {what} {ended(status, limit_s)}"
                raise SmokeError(message)
            if reason is None or not reason.strip():
                message = f"'train' ended with status {status} and did not write {FAILURE}"
                raise SmokeError(message)
    return f"status {status}: {reason.strip().splitlines()[0]}"
