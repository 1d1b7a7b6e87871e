"""What a training job leaves: how it ended, and its archives."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from twinforge.errors import TrainError
from twinforge.sagemaker.local.files import pack
from twinforge.sagemaker.local.sources import S3_SCHEME
from twinforge.sagemaker.place import Place

if TYPE_CHECKING:
    from twinforge.sagemaker.local.files import Packed
    from twinforge.sagemaker.local.means import LocalMeans

__all__ = ["LocalTrained", "Places", "Results"]


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


class Results:
    """The archives of a job, packed from its container and brought to where they belong."""

    def __init__(self, means: LocalMeans, box: str, scratch: Path, job: str, output: str) -> None:
        self._means = means
        self._box = box
        self._scratch = scratch
        self._job = job
        self._output = output
        self.notes: list[str] = []

    def keep_model(self) -> str:
        """Pack ``/opt/ml/model``; return where it went."""
        found = self._pack("/opt/ml/model", "model.tar.gz")
        if found is None:
            return ""
        if found.strange:
            note = f"the model holds '{found.strange}', a link or no file: no endpoint takes it"
            self.notes.append(note)
        elif not found.files:
            self.notes.append("the job left no file in /opt/ml/model: the model is empty")
        return self._bring(found, "model.tar.gz")

    def keep_data(self) -> str:
        """Pack ``/opt/ml/output/data``; return where it went, or nothing where nothing is in it."""
        found = self._pack("/opt/ml/output/data", "output.tar.gz")
        if found is None or not (found.files or found.strange):
            return ""
        return self._bring(found, "output.tar.gz")

    def _pack(self, folder: str, name: str) -> Packed | None:
        with self._means.desk.get(self._box, folder) as chunks:
            return pack(chunks, self._scratch / name) if chunks is not None else None

    def _bring(self, found: Packed, name: str) -> str:
        place = f"{self._job}/output/{name}"
        if self._output.startswith(S3_SCHEME):
            address = Place.parse(self._output).below(place)
            self._means.storage.upload(found.path, address, lambda _: None)
            return str(address)
        target = Path(self._output) / place
        target.parent.mkdir(parents=True, exist_ok=True)
        _move(found.path, target)
        return str(target)


def _move(source: Path, target: Path) -> None:
    """Move a file, also to another file system, where it appears whole."""
    part = target.with_name(f".{target.name}.part")
    try:
        with source.open("rb") as reader, part.open("wb") as writer:
            while chunk := reader.read(1 << 20):
                writer.write(chunk)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    source.unlink()
