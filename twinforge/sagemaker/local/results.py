"""What a training job leaves: how it ended, and its archives."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from twinforge.errors import TrainError, TwinforgeError, UsageError
from twinforge.sagemaker.local.files import pack
from twinforge.sagemaker.local.sources import S3_SCHEME
from twinforge.sagemaker.place import Place

if TYPE_CHECKING:
    from twinforge.sagemaker.local.files import Packed
    from twinforge.sagemaker.local.means import LocalMeans

__all__ = ["LocalTrained", "Places", "Results"]

_MODEL, _DATA = "model.tar.gz", "output.tar.gz"


@dataclass(frozen=True, slots=True)
class LocalTrained:
    """A training job that has ended.

    Attributes:
        name: Its name.
        status: As DescribeTrainingJob says it.
        phase: The secondary status.
        reason: Why it failed, or empty.
        exit_status: Of ``train``; -1 where it could not be started.
        variant: The variant's id.
        instance: The instance type that it was run like.
        model: The model's archive, or empty where none is kept: a path or an S3 address.
        output: The archive of ``/opt/ml/output/data``, or empty where nothing is in it.
        log: What the container printed.
        seconds: How long ``train`` ran.
        last_lines: The end of the log.
        notes: What has to be known, such as that no endpoint takes the model.
    """

    name: str
    status: str
    phase: str
    reason: str
    exit_status: int
    variant: str
    instance: str
    model: str
    output: str
    log: str
    seconds: int
    last_lines: tuple[str, ...] = field(default=(), repr=False)
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, object]:
        """Return it as ``twinforge local train --json`` prints it."""
        return {
            "job": self.name,
            "status": self.status,
            "phase": self.phase,
            "reason": self.reason,
            "exit_status": self.exit_status,
            "variant": self.variant,
            "instance": self.instance,
            "model": self.model,
            "output": self.output,
            "log": self.log,
            "seconds": self.seconds,
            "notes": list(self.notes),
        }

    def refuse_unless_complete(self) -> None:
        """Say what the service would say of a job that did not complete, and the log's end.

        Raises:
            TrainError: It did not.
        """
        if self.status == "Completed":
            return
        parts = [f"the training job '{self.name}' is {self.status} ({self.phase})"]
        if self.reason:
            parts.append(f"reason: {self.reason}")
        parts += [f"  | {line}" for line in self.last_lines]
        hints = [*self.notes, f"what it saved until then is in {self.model}" if self.model else ""]
        raise TrainError("\n".join(parts), hint="; ".join(filter(None, hints)))


@dataclass(frozen=True, slots=True)
class Places:
    """Where what a job leaves goes.

    Attributes:
        output: A folder or an S3 address; ``<job>/output/model.tar.gz`` goes below.
        log: Gets all that the container prints; replaced.
        checkpoints: A folder or an S3 address, or empty for none.
    """

    output: str
    log: Path
    checkpoints: str = ""

    @property
    def is_in_s3(self) -> bool:
        """Whether the output is an S3 address."""
        return self.output.startswith(S3_SCHEME)

    @property
    def reserve(self) -> Path:
        """The folder that keeps what can't be written at its place: beside the log."""
        return self.log.parent / "output"

    def folder(self, job: str) -> Path:
        """Return the folder of a job's archives."""
        return Path(self.output) / job / "output"

    def check(self, job: str) -> None:
        """See that a folder takes what the job leaves, before hours are spent on it.

        Raises:
            UsageError: An earlier job of that name has left a model there, or nothing can be
                written there.
        """
        if self.is_in_s3:
            Place.parse(self.output)
            return
        if (self.folder(job) / _MODEL).exists():
            message = f"a training job '{job}' has left its model in '{self.folder(job)}' already"
            raise UsageError(message, hint="a name is used once: give another --name, or none")
        try:
            Path(self.output).mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.output):
                pass
        except OSError as error:
            message = f"nothing can be written to '{self.output}': {error.strerror}"
            raise UsageError(message, hint="give another --output") from error


class Results:
    """The archives of a job, packed from its container and brought to where they belong."""

    def __init__(
        self, means: LocalMeans, box: str, scratch: Path, job: str, places: Places
    ) -> None:
        self._means = means
        self._box = box
        self._scratch = scratch
        self._job = job
        self._places = places
        self._errors: list[TwinforgeError] = []
        self.notes: list[str] = []

    def keep_model(self) -> str:
        """Pack ``/opt/ml/model``; return where it went."""
        found = self._packed("/opt/ml/model", _MODEL)
        if found is None and not self._errors:
            self.notes.append("the job has removed /opt/ml/model: there is no model")
        if found is None:
            return ""
        if found.strange:
            note = f"the model holds '{found.strange}', a link or no file: no endpoint takes it"
            self.notes.append(note)
        elif not found.files:
            self.notes.append("the job left no file in /opt/ml/model: the model is empty")
        return self._brought(found, _MODEL)

    def keep_data(self) -> str:
        """Pack ``/opt/ml/output/data``; return where it went, or nothing where nothing is in it."""
        found = self._packed("/opt/ml/output/data", _DATA)
        if found is None:
            return ""
        if not (found.files or found.strange):
            found.path.unlink()
            return ""
        return self._brought(found, _DATA)

    def refuse_unless_kept(self) -> None:
        """Say of what was not kept where it belongs, where it is.

        Raises:
            TwinforgeError: Something was not.
        """
        if self._errors:
            error = self._errors[0]
            error.hint = "; ".join(dict.fromkeys(one.hint for one in self._errors if one.hint))
            raise error

    def _packed(self, folder: str, name: str) -> Packed | None:
        """Pack a folder to where it belongs, or to a file that goes to S3 then."""
        places = self._places
        target = (self._scratch if places.is_in_s3 else places.folder(self._job)) / name
        try:
            return self._pack(folder, target)
        except OSError as error:
            other = places.reserve / name
            if other == target:
                raise
            self._pack(folder, other)
            message = f"'{target}' can't be written: {error.strerror}"
            self._errors.append(TwinforgeError(message, hint=f"it was kept as {other}"))
            return None

    def _pack(self, folder: str, target: Path) -> Packed | None:
        with self._means.desk.get(self._box, folder) as chunks:
            return pack(chunks, target) if chunks is not None else None

    def _brought(self, found: Packed, name: str) -> str:
        if not self._places.is_in_s3:
            return str(found.path)
        address = Place.parse(self._places.output).below(f"{self._job}/output/{name}")
        try:
            self._means.storage.upload(found.path, address, lambda _: None)
        except TwinforgeError as error:
            kept = self._places.reserve / name
            kept.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(found.path, kept)
            error.hint = "; ".join(filter(None, [f"it was kept as {kept}", error.hint]))
            self._errors.append(error)
            return ""
        return str(address)
