"""What a training job gives its trainer: a typed view of ``/opt/ml`` and of the environment.

Source: "How Amazon SageMaker provides training information" of the developer guide; the lower-case
``resourceconfig.json`` is what the platform writes.
"""

from __future__ import annotations

import json
import threading
import time
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from typing import TYPE_CHECKING, Any, TypeVar, get_type_hints

from twinforge.runtime.typed import decode, name_of_type, typed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import BinaryIO

__all__ = [
    "RESERVED",
    "Channel",
    "Job",
    "JobError",
    "Resources",
    "decode",
    "read_config",
    "read_job",
    "read_settings_of_job",
]

T = TypeVar("T")

RESERVED = frozenset(
    {
        "_tuning_objective_metric",
        "default_user_module_name",
        "sagemaker_container_log_level",
        "sagemaker_enable_cloudwatch_metrics",
        "sagemaker_job_name",
        "sagemaker_program",
        "sagemaker_region",
        "sagemaker_s3_output",
        "sagemaker_submit_directory",
    }
)
"""Hyperparameters that are SageMaker's, not the trainer's. Source: sagemaker-training, params.py.

All others that begin with ``sagemaker_`` are SageMaker's, too: they say how to distribute.
"""
_PREFIX = "sagemaker_"

_PIPE_S = 60.0
_PAUSE_S = 0.05


class JobError(ValueError):
    """A job asks for what can't be done; the text goes to FailureReason as it is."""


@dataclass(frozen=True)
class Channel:
    """A channel of input data.

    Attributes:
        name: Its name in the job.
        path: The folder of its files; in Pipe mode, what the names of its pipes begin with.
        mode: ``File``, ``FastFile`` or ``Pipe``.
        content_type: As the job says it; may be empty.
        distribution: ``FullyReplicated`` or ``ShardedByS3Key``.
        record_wrapper: ``None`` or ``RecordIO``.
    """

    name: str
    path: Path
    mode: str = "File"
    content_type: str = ""
    distribution: str = "FullyReplicated"
    record_wrapper: str = "None"

    def files(self, pattern: str = "*") -> tuple[Path, ...]:
        """Return the files below the folder whose names match a pattern, sorted.

        Raises:
            JobError: There is none, or the channel is a pipe.
        """
        if self.mode == "Pipe":
            message = f"the channel '{self.name}' has the input mode Pipe, and no files"
            raise JobError(message)
        found = tuple(sorted(path for path in self.path.rglob(pattern) if path.is_file()))
        if not found:
            message = f"the channel '{self.name}' has no file that matches '{pattern}'"
            raise JobError(message)
        return found

    def open_pipe(self, epoch: int = 0, *, within_s: float = _PIPE_S) -> BinaryIO:
        """Open the pipe of an epoch, which may have to be waited for.

        Raises:
            JobError: The channel is no pipe, or this epoch's does not appear.
        """
        if self.mode != "Pipe":
            message = f"the channel '{self.name}' has the input mode {self.mode}, not Pipe"
            raise JobError(message)
        path = self.path.with_name(f"{self.path.name}_{epoch}")
        deadline_s = time.monotonic() + within_s
        while not path.exists():
            if time.monotonic() > deadline_s:
                message = f"the pipe '{path}' did not appear within {within_s:g} s"
                raise JobError(message)
            time.sleep(_PAUSE_S)
        return path.open("rb")


@dataclass(frozen=True)
class Resources:
    """The hosts of a job; ``rank`` is the place of this one among them, from 0."""

    current_host: str
    hosts: tuple[str, ...]
    network_interface: str
    instance_type: str
    group: str
    cores: int
    gpus: int

    @property
    def rank(self) -> int:
        """The place of this host among all."""
        return self.hosts.index(self.current_host) if self.current_host in self.hosts else 0


@dataclass(frozen=True)
class Job:
    """One training job.

    Attributes:
        name: Of the job; empty outside SageMaker.
        arn: Of the job.
        hyperparameters: What the job says, decoded where it is JSON, without SageMaker's own.
        texts: The same as text, as it was given.
        channels: By name.
        resources: Hosts, cores and GPUs.
        model_dir: What is in here becomes ``model.tar.gz``.
        output_dir: What is in here becomes ``output.tar.gz``.
        checkpoint_dir: Kept in S3 while the job runs, and there again after a restart.
        root: ``/opt/ml``.
        stop: Set when the job is to stop; what is not written 120 s later is lost.
    """

    name: str
    arn: str
    hyperparameters: Mapping[str, Any]
    texts: Mapping[str, str]
    channels: Mapping[str, Channel]
    resources: Resources
    model_dir: Path
    output_dir: Path
    checkpoint_dir: Path
    root: Path
    stop: threading.Event = field(default_factory=threading.Event, compare=False)

    @property
    def stopping(self) -> bool:
        """Whether the job is to stop."""
        return self.stop.is_set()

    def channel(self, name: str) -> Channel:
        """Return a channel.

        Raises:
            JobError: The job has none of this name.
        """
        if name not in self.channels:
            given = ", ".join(f"'{one}'" for one in self.channels) or "none"
            message = f"the channel '{name}' is missing (given: {given})"
            raise JobError(message)
        return self.channels[name]

    def parse(self, model: type[T]) -> T:
        """Return the hyperparameters as a dataclass, whose fields say names, types and defaults.

        ``max-depth`` is for the field ``max_depth``, as on a command line.

        Raises:
            JobError: One is unknown, missing, given twice or of another type; all such are named.
            TypeError: The dataclass has a field of a type that no hyperparameter can have.
        """
        if not is_dataclass(model):
            message = f"'{model.__name__}' is not a dataclass"
            raise TypeError(message)
        hints = get_type_hints(model)
        known = {one.name: one for one in fields(model) if one.init}
        problems, texts = [], {}
        for given, text in self.texts.items():
            name = given if given in known else given.replace("-", "_")
            if name not in known:
                problems.append(f"unknown hyperparameter '{given}' (known: {', '.join(known)})")
            elif name in texts:
                problems.append(f"the hyperparameter '{name}' is given twice, once as '{given}'")
            texts[name] = text
        values = {}
        for name, one in known.items():
            if name in texts:
                kind = hints[name]
                try:
                    values[name] = typed(texts[name], kind)
                except ValueError:
                    shown = name_of_type(kind)
                    problems.append(f"hyperparameter '{name}' is '{texts[name]}', not {shown}")
            elif one.default is MISSING and one.default_factory is MISSING:
                problems.append(f"the hyperparameter '{name}' is missing")
        if problems:
            raise JobError("; ".join(problems))
        return model(**values)


def read_job(root: Path, environ: Mapping[str, str], *, cores: int, gpus: int) -> Job:
    """Return the job of a container; files that are not there say nothing.

    Raises:
        JobError: A file is not what it should be.
    """
    texts = {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in read_config(root, "hyperparameters.json").items()
        if not _is_reserved(name)
    }
    return Job(
        name=environ.get("TRAINING_JOB_NAME", ""),
        arn=environ.get("TRAINING_JOB_ARN", ""),
        hyperparameters={name: decode(text) for name, text in texts.items()},
        texts=texts,
        channels=_channels(root, read_config(root, "inputdataconfig.json")),
        resources=_resources(read_config(root, "resourceconfig.json"), cores, gpus),
        model_dir=root / "model",
        output_dir=root / "output/data",
        checkpoint_dir=root / "checkpoints",
        root=root,
    )


def read_settings_of_job(root: Path) -> dict[str, str]:
    """Return SageMaker's own hyperparameters, decoded to text."""
    given = read_config(root, "hyperparameters.json")
    return {
        name: str(decode(value)) if isinstance(value, str) else json.dumps(value)
        for name, value in sorted(given.items())
        if _is_reserved(name)
    }


def read_config(root: Path, name: str) -> dict[str, Any]:
    """Return a document of ``input/config``; one that is not there says nothing.

    Raises:
        JobError: It is not what it should be.
    """
    return _read_object(root / "input/config" / name)


def _is_reserved(name: str) -> bool:
    return name in RESERVED or name.startswith(_PREFIX)


def _channels(root: Path, config: Mapping[str, Any]) -> dict[str, Channel]:
    channels = {}
    for name, given in config.items():
        if not isinstance(given, dict):
            message = f"the channel '{name}' of inputdataconfig.json is not an object"
            raise JobError(message)
        mode = given.get("TrainingInputMode", "File")
        if mode not in ("File", "FastFile", "Pipe"):
            message = f"the channel '{name}' has the input mode '{mode}'"
            raise JobError(message)
        channels[name] = Channel(
            name,
            root / "input/data" / name,
            mode,
            given.get("ContentType", ""),
            given.get("S3DistributionType", "FullyReplicated"),
            given.get("RecordWrapperType", "None"),
        )
    return channels


def _resources(config: Mapping[str, Any], cores: int, gpus: int) -> Resources:
    host = config.get("current_host", "algo-1")
    return Resources(
        current_host=host,
        hosts=tuple(config.get("hosts") or [host]),
        network_interface=config.get("network_interface_name", "eth0"),
        instance_type=config.get("current_instance_type", ""),
        group=config.get("current_group_name", "homogeneousCluster"),
        cores=cores,
        gpus=gpus,
    )


def _read_object(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        message = f"'{path}' can't be read as JSON: {error}"
        raise JobError(message) from error
    if not isinstance(document, dict):
        message = f"'{path}' is not a JSON object"
        raise JobError(message)
    return document
