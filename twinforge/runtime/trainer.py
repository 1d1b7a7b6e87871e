"""The process in which a trainer runs; ``train`` watches over it."""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from twinforge.runtime.failure import reason_of, write_failure
from twinforge.runtime.job import RESERVED, JobError, read_job, read_settings_of_job
from twinforge.runtime.machine import read_machine
from twinforge.runtime.metrics import check_metrics
from twinforge.runtime.script import find_script, missing_packages, run_script
from twinforge.runtime.sources import SourceError, function_of, load_source

if TYPE_CHECKING:
    from twinforge.runtime.job import Job
    from twinforge.runtime.script import Script

__all__ = ["CONTROL", "METRICS", "ROOT", "main"]

CONTROL = "TWINFORGE_CONTROL_FD"
"""The variable with the descriptor at which ``train`` listens for declared metrics."""

METRICS = "TWINFORGE_METRICS"
"""The variable in which an image declares metrics, as JSON; a trainer's METRICS are added."""

ROOT = "TWINFORGE_OPT_ML"
"""The variable that says where ``/opt/ml`` is, for tests outside of a container."""

_WHAT = "trainer"
_TRUE = {"true", "True"}


def main() -> int:
    """Run the trainer and return the exit status; a failure is written where it is looked for."""
    root = Path(os.environ.get(ROOT) or "/opt/ml")
    try:
        machine = read_machine()
        job = read_job(root, os.environ, cores=machine.cores, gpus=machine.gpus)
        signal.signal(signal.SIGTERM, lambda *_: job.stop.set())
        for folder in (job.model_dir, job.output_dir, job.checkpoint_dir):
            folder.mkdir(parents=True, exist_ok=True)
        script = find_script(read_settings_of_job(root), os.environ, root)
        _run(job, script)
    except SystemExit as ending:
        return _ended(root, ending)
    except BaseException as error:  # noqa: BLE001 - whatever it is, it must reach the failure file
        traceback.print_exc()
        is_ours = isinstance(error, (JobError, SourceError))
        why_not = write_failure(root, reason_of(error, is_ours=is_ours))
        if why_not:
            sys.stderr.write(f"train: {why_not}\n")
        return 1
    return 0


def _run(job: Job, script: Script | None) -> None:
    if script is None:
        _call(job, os.environ.get("TWINFORGE_TRAINER", ""))
        return
    _tell_what_is_not_done(job, script)
    if script.is_trainer:
        _call(job, str(script.path))
        return
    _declare({})
    run_script(job, script)


def _tell_what_is_not_done(job: Job, script: Script) -> None:
    for path in script.requirements:
        missing = ", ".join(missing_packages(path))
        hint = f"; add to the recipe what this image has not: {missing}" if missing else ""
        sys.stderr.write(f"train: requirements.txt is not installed: nothing is at start{hint}\n")
    for name, text in read_settings_of_job(job.root).items():
        if name.endswith("_enabled") and name not in RESERVED and text in _TRUE:
            said = "there is no launcher here: the script is run once on each host"
            sys.stderr.write(f"train: warning: '{name}' is true, and {said}\n")


def _call(job: Job, path: str) -> None:
    module = load_source(path, _WHAT)
    train = function_of(module, "train", _WHAT)
    _declare(getattr(module, "METRICS", {}))
    if isinstance(train(job), Iterator):
        message = f"'train' of '{path}' holds a 'yield', so that nothing of it ran"
        raise SourceError(message)


def _declare(metrics: object) -> None:
    """Tell ``train`` which metrics to look for, those of the image included."""
    text = os.environ.get(METRICS, "")
    try:
        of_image = json.loads(text) if text else {}
    except ValueError as error:
        message = f"{METRICS} is not JSON: {error}"
        raise JobError(message) from error
    declared = {**check_metrics(of_image), **check_metrics(metrics)}
    if declared and CONTROL in os.environ:
        os.write(int(os.environ[CONTROL]), f"{json.dumps(declared)}\n".encode())


def _ended(root: Path, ending: SystemExit) -> int:
    """Return the status of ``sys.exit``; a text is an error, as the interpreter takes it."""
    code = ending.code
    if code is None or isinstance(code, int):
        status = code or 0
        if status:
            write_failure(root, f"the trainer ended with status {status}")
        # The kernel keeps eight bits of it, and 256 would be a success.
        return status if status % 256 or not status else 1
    sys.stderr.write(f"{code}\n")
    write_failure(root, str(code))
    return 1


if __name__ == "__main__":
    sys.exit(main())
