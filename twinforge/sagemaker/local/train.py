"""A training job in the engine of this machine, from its data to its model."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from twinforge.errors import TwinforgeError, UsageError
from twinforge.events import State
from twinforge.sagemaker.local.checkpoints import Checkpoints, open_store
from twinforge.sagemaker.local.desk import Mount, Spec, labels_of, name_of, new_volume
from twinforge.sagemaker.local.files import Piece, reading, tar_chunks
from twinforge.sagemaker.local.job import CODE, HOST, config_pieces, job_env
from twinforge.sagemaker.local.means import Log, stop_box
from twinforge.sagemaker.local.results import LocalTrained, Results
from twinforge.sagemaker.local.runner import holding
from twinforge.sagemaker.local.sources import input_files
from twinforge.sagemaker.local.words import Ending, judge_ending, refused_start

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twinforge.sagemaker.local.desk import Look
    from twinforge.sagemaker.local.job import LocalJob
    from twinforge.sagemaker.local.limits import Limits
    from twinforge.sagemaker.local.means import LocalMeans
    from twinforge.sagemaker.local.results import Places
    from twinforge.sagemaker.local.words import StopCause

__all__ = ["GRACE_S", "RUNNER", "STOPPING", "run_job"]

GRACE_S = 120.0
"""Source: SageMaker developer guide, "How SageMaker runs your training image"."""
STOPPING = ".stopping"
"""Ends the name of a container that was asked to stop: whoever runs the job sees it there.

No name of a job can hold a full stop.
"""
RUNNER = "runner"
"""The fact of a container that names the lock which whoever runs the job holds."""

_OPT_ML = "/opt/ml"
_FAILURE = "/opt/ml/output/failure"
_SYNC_S = 5.0
_OUT_OF_MEMORY = "the container needed more memory than its instance type has"


def run_job(means: LocalMeans, job: LocalJob, limits: Limits, places: Places) -> LocalTrained:
    """Run a job to its end; whatever happens, nothing of it stays in the engine.

    Args:
        means: The engine, S3, patience and a listener.
        job: What is run.
        limits: What its container may use.
        places: Where what it leaves goes.

    Returns:
        How it ended; that it failed is no exception.

    Raises:
        UsageError: There is or was a job of that name, or its data is not there.
        TwinforgeError: The engine says no, or what the job leaves can't be written where it belongs;
            it is kept beside the log then.
        AwsError: S3 could not be used.
    """
    places.check(job.name)
    means.tell(job.name, State.STARTED, "Starting")
    with tempfile.TemporaryDirectory(prefix="twinforge-") as scratch:
        run = _Run(means, job, limits, Path(scratch), places.log)
        with run.made(places.checkpoints):
            ending = run.download() or run.train()
            means.tell(job.name, State.NOTE, "Uploading")
            trained = run.upload(ending, places)
    state = State.DONE if ending.status == "Completed" else State.FAILED
    means.tell(job.name, state, " ".join(filter(None, [ending.phase, ending.reason])))
    return trained


class _Run:
    """One job and its container."""

    def __init__(
        self, means: LocalMeans, job: LocalJob, limits: Limits, scratch: Path, log: Path
    ) -> None:
        self._means = means
        self._desk = means.desk
        self._job = job
        self._limits = limits
        self._scratch = scratch
        self._lock = scratch / "lock"
        self._log_path = log
        self._log = Log(means, job.name, log)
        self._box = ""
        self._checkpoints: Checkpoints | None = None
        self._next_sync = 0.0
        self._exit_status = -1
        self._seconds = 0.0
        self._has_started = False
        self._out_of_step = ""
        self._notes: list[str] = []

    @contextmanager
    def made(self, checkpoints: str) -> Iterator[None]:
        """Make the container and its volume, and remove both at the end."""
        job, name = self._job, name_of("training", self._job.name)
        if checkpoints:
            store = open_store(
                *(checkpoints, self._means.storage),
                listener=self._means.listener,
                scratch=self._scratch,
            )
            self._checkpoints = Checkpoints(store)
        spec = Spec(
            name=name,
            image=job.image_id,
            command=("train",),
            labels=labels_of(
                *("training", job.name),
                recipe=job.recipe,
                variant=job.variant,
                instance=job.instance,
                runner=str(self._lock),
            ),
            env=job_env(job),
            hostname=HOST,
            mounts=(Mount(new_volume(name), _OPT_ML),),
            network="isolated" if job.is_isolated else "bridge",
            cpus=self._limits.cpus,
            memory_bytes=self._limits.memory_bytes,
            gpus=self._limits.gpus,
        )
        if self._desk.find("training", job.name):  # also one that stops, under another name
            message = f"the engine has the training job '{job.name}' already"
            raise UsageError(message, hint="give another --name, or see `twinforge local list`")
        with holding(self._lock):
            self._box = self._desk.create(spec)
            try:
                yield
            finally:
                self._desk.remove(self._box)

    def download(self) -> Ending | None:
        """Bring configuration, checkpoints and the data of all channels into the container.

        Returns:
            How the job ended, where it was stopped meanwhile, else None.
        """
        self._means.tell(self._job.name, State.NOTE, "Downloading")
        restored = self._checkpoints.pieces() if self._checkpoints else iter(())
        pieces = (*config_pieces(self._job), *restored)
        self._desk.put(self._box, "/opt", tar_chunks(pieces))
        folders = {f"ml/input/data/{name}": source for name, source in self._job.channels.items()}
        if self._job.code:
            folders[CODE] = self._job.code
        for folder, source in folders.items():
            with input_files(self._means.storage, source, listener=self._means.listener) as files:
                found = (Piece(f"{folder}/{name}", path) for name, path in files)
                self._desk.put(self._box, "/opt", tar_chunks((Piece(folder, None), *found)))
            if self._was_asked_to_stop():
                break
        return judge_ending(0, "", stopped="asked") if self._was_asked_to_stop() else None

    def train(self) -> Ending:
        """Start ``train``, watch it, and return how it ended."""
        clock = self._means.patience.clock
        words = self._desk.start(self._box)
        if words:
            return refused_start(words)
        self._has_started = True
        started = clock()
        self._next_sync = started + _SYNC_S
        self._means.tell(self._job.name, State.NOTE, "Training")
        with self._log.following(self._box):
            stopped = self._watch(started + self._job.max_runtime_s)
            if stopped:
                self._means.tell(self._job.name, State.NOTE, "Stopping")
                stop_box(self._means, self._box, GRACE_S, meanwhile=self._meanwhile)
        self._seconds = clock() - started
        self._sync()
        found = self._desk.look(self._box)
        if found is None:
            message = f"the container of the training job '{self._job.name}' was removed"
            raise TwinforgeError(message)
        self._exit_status = found.exit_status
        if found.was_out_of_memory:
            self._notes.append(_OUT_OF_MEMORY)
        if self._out_of_step:
            self._notes.append(self._out_of_step)
        return judge_ending(found.exit_status, self._failure(), stopped=stopped)

    def upload(self, ending: Ending, places: Places) -> LocalTrained:
        """Pack what the job left, and bring it to where it belongs."""
        results = Results(self._means, self._box, self._scratch, self._job.name, places)
        model = results.keep_model() if ending.has_model and self._has_started else ""
        data = results.keep_data()
        results.refuse_unless_kept()
        return LocalTrained(
            name=self._job.name,
            status=ending.status,
            phase=ending.phase,
            reason=ending.reason,
            exit_status=self._exit_status,
            variant=f"{self._job.recipe}/{self._job.variant}",
            instance=self._job.instance,
            model=model,
            output=data,
            log=str(self._log_path) if self._log_path.is_file() else "",
            seconds=round(self._seconds),
            last_lines=self._log.last,
            notes=(*self._notes, *results.notes),
        )

    def _watch(self, deadline: float) -> StopCause:
        """Wait for the end; return why the job has to be stopped, or nothing when it has ended."""
        patience = self._means.patience
        while (found := self._desk.look(self._box)) is not None and found.is_running:
            if _was_asked_to_stop(found):
                return "asked"
            if patience.clock() >= deadline:
                return "time"
            self._meanwhile()
            patience.sleep(patience.poll_s)
        return "asked" if found is not None and _was_asked_to_stop(found) else ""

    def _meanwhile(self) -> None:
        self._log.tell()
        if self._means.patience.clock() >= self._next_sync:
            self._sync()
            self._next_sync = self._means.patience.clock() + _SYNC_S

    def _sync(self) -> None:
        """Keep checkpoints in step; where that fails, the job goes on and it is tried again."""
        if self._checkpoints is None:
            return
        before, self._out_of_step = self._out_of_step, ""
        try:
            changed = self._checkpoints.sync(self._desk, self._box)
        except (TwinforgeError, OSError) as error:
            said = error.message if isinstance(error, TwinforgeError) else error.strerror or ""
            self._out_of_step = f"the checkpoints are not all kept: {said}"
            if self._out_of_step != before:
                self._means.tell(self._job.name, State.NOTE, self._out_of_step)
        else:
            if changed:
                self._means.tell(self._job.name, State.NOTE, f"checkpoints: {changed} files synced")

    def _was_asked_to_stop(self) -> bool:
        found = self._desk.look(self._box)
        return found is not None and _was_asked_to_stop(found)

    def _failure(self) -> str:
        with self._desk.get(self._box, _FAILURE) as chunks:
            if chunks is None:
                return ""
            with reading(chunks) as tar:
                member = tar.next()
                file = tar.extractfile(member) if member and member.isreg() else None
                # A character has at most four bytes, and no more of them are shown than these.
                return file.read(4096).decode(errors="replace") if file else ""


def _was_asked_to_stop(found: Look) -> bool:
    return found.name.endswith(STOPPING)
