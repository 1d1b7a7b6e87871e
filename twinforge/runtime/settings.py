"""What the environment says about serving; everything has a value that works.

Source of SageMaker's own variables: "Inference pipelines", "Custom inference code with batch
transform" and "Multi-model endpoints" of the developer guide.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from twinforge.runtime.machine import Machine

__all__ = ["Settings", "SettingsError", "read_settings"]

_MIB = 1024 * 1024
_HIGHEST_PORT = 65535
_REALTIME_MIB = 25
_LONGEST_S = 3600
"""SageMaker's longest invocations, asynchronous ones and a batch's, may take an hour."""

_REALTIME_S = 60
"""It waits that long for a real-time invocation; the longer ones' sender does not go."""

_BATCH_MIB = 100
"""SageMaker: ``MaxConcurrentTransforms`` times ``MaxPayloadInMB`` may be 100 at most."""


_TIMEOUT = ("SAGEMAKER_MODEL_SERVER_TIMEOUT_SECONDS", "SAGEMAKER_MODEL_SERVER_TIMEOUT")
"""Of sagemaker-inference-toolkit (``parameters.py``). Its server took the second for minutes, against
its own documentation, and got the first for that reason; here both are seconds."""


class SettingsError(ValueError):
    """A variable has a value that it can't have."""


@dataclass(frozen=True)
class Settings:
    """How to serve.

    Attributes:
        host: The address to listen at.
        port: The port.
        workers: Processes at most; each holds a model of its own.
        threads: Predictions at a time in each process.
        gpus: The GPUs that the processes share out, as CUDA names them.
        max_body_bytes: The largest body; 0 for any.
        queue: Requests that a process may hold, waiting ones included, before it says 503.
        limit_s: How long a prediction may take while its sender waits.
        left_s: How long it may take when its sender has gone.
        inline_s: A prediction that takes less than this needs no thread of its own.
        stop_s: How long requests in flight may take after SIGTERM.
        multi_model: Whether models come by requests, and not from ``model_dir``.
        access_log: Whether requests that succeed are logged, too.
        predictor: The predictor's file.
        model_dir: Where the model is.
        batch_strategy: How batch transform is to cut its input.
        batch_mb: The largest payload that the batch's job names; 0 if it names none.
        batch_concurrent: How many payloads at a time the job names; 0 if it names none.
    """

    host: str
    port: int
    workers: int
    threads: int
    gpus: tuple[str, ...]
    max_body_bytes: int
    queue: int
    limit_s: float
    left_s: float
    inline_s: float
    stop_s: float
    multi_model: bool
    access_log: bool
    predictor: str
    model_dir: str
    batch_strategy: str
    batch_mb: int
    batch_concurrent: int

    def execution_parameters(self) -> dict[str, object]:
        """Return what batch transform asks for: how to cut its input, and how much at a time."""
        most = max(1, _BATCH_MIB // self.batch_mb) if self.batch_mb else _BATCH_MIB
        concurrent = self.batch_concurrent or min(self.workers * self.threads, most)
        largest = self.max_body_bytes // _MIB or _BATCH_MIB
        return {
            "MaxConcurrentTransforms": concurrent,
            "BatchStrategy": self.batch_strategy,
            "MaxPayloadInMB": max(1, min(largest, self.batch_mb or _BATCH_MIB // concurrent)),
        }

    def gpus_of(self, worker: int) -> tuple[str, ...]:
        """Return the GPUs of a process, by its number: its own ones, and all others' if it is alone.

        Of more processes than GPUs, several have one together.
        """
        if not self.gpus:
            return ()
        return self.gpus[worker % len(self.gpus) :: max(self.workers, 1)]


def read_settings(environ: Mapping[str, str], machine: Machine) -> Settings:
    """Return the settings of an environment on a machine.

    Raises:
        SettingsError: A variable has a value that it can't have; the text names it.
    """
    multi_model = _flag(environ, "SAGEMAKER_MULTI_MODEL")
    # One process with a model each: a CPU image has one per core, a GPU holds one.
    gpus = _gpus(environ, machine)
    default_workers = 1 if multi_model else len(gpus) or machine.cores
    default_threads = machine.cores if multi_model else 1
    workers = _number(
        environ, ("TWINFORGE_WORKERS", "SAGEMAKER_MODEL_SERVER_WORKERS"), default_workers, least=1
    )
    if multi_model and workers != 1:
        message = (
            f"{workers} workers are set, and all models are in one process: use TWINFORGE_THREADS"
        )
        raise SettingsError(message)
    megabytes = _number(
        environ, ("TWINFORGE_MAX_PAYLOAD_MB", "SAGEMAKER_MAX_PAYLOAD_IN_MB"), _REALTIME_MIB, least=0
    )
    strategy = environ.get("SAGEMAKER_BATCH_STRATEGY") or "MULTI_RECORD"
    if strategy not in {"SINGLE_RECORD", "MULTI_RECORD"}:
        message = f"SAGEMAKER_BATCH_STRATEGY is '{strategy}', not SINGLE_RECORD or MULTI_RECORD"
        raise SettingsError(message)
    limit_s = _number(environ, _TIMEOUT, 0, least=1)
    return Settings(
        host=environ.get("TWINFORGE_HOST") or "0.0.0.0",  # noqa: S104 - the container's only door
        port=_number(environ, ("SAGEMAKER_BIND_TO_PORT",), 8080, least=1, most=_HIGHEST_PORT),
        workers=workers,
        threads=_number(environ, ("TWINFORGE_THREADS",), default_threads, least=1),
        gpus=gpus,
        max_body_bytes=megabytes * _MIB,
        queue=_number(environ, ("TWINFORGE_QUEUE",), 256, least=1),
        limit_s=limit_s or _LONGEST_S,
        left_s=limit_s or _REALTIME_S,
        inline_s=_number(environ, ("TWINFORGE_INLINE_MS",), 5, least=0) / 1000,
        stop_s=_number(environ, ("TWINFORGE_STOP_S",), 25, least=0),
        multi_model=multi_model,
        access_log=_flag(environ, "TWINFORGE_ACCESS_LOG"),
        predictor=environ.get("TWINFORGE_PREDICTOR", ""),
        model_dir=environ.get("TWINFORGE_MODEL_DIR") or "/opt/ml/model",
        batch_strategy=strategy,
        batch_mb=_number(environ, ("SAGEMAKER_MAX_PAYLOAD_IN_MB",), 0, least=0),
        batch_concurrent=_number(environ, ("SAGEMAKER_MAX_CONCURRENT_TRANSFORMS",), 0, least=0),
    )


def _gpus(environ: Mapping[str, str], machine: Machine) -> tuple[str, ...]:
    """Return the GPUs that CUDA would offer: what follows one that is not there counts for nothing.

    Source: CUDA C++ Programming Guide, ``CUDA_VISIBLE_DEVICES``.
    """
    there = [str(number) for number in range(machine.gpus)]
    named = environ.get("CUDA_VISIBLE_DEVICES")
    if named is None or not there:
        return tuple(there)
    known = (
        one if one in there or one.startswith(("GPU-", "MIG-")) else ""
        for one in map(str.strip, named.split(","))
    )
    return tuple(takewhile(bool, known))


def _number(
    environ: Mapping[str, str],
    names: tuple[str, ...],
    default: int,
    *,
    least: int,
    most: int | None = None,
) -> int:
    for name in names:
        text = environ.get(name, "")
        if not text:
            continue
        if not text.isdecimal() or int(text) < least or (most is not None and int(text) > most):
            bounds = f"of at least {least}" if most is None else f"from {least} to {most}"
            message = f"{name} is '{text}', not a whole number {bounds}"
            raise SettingsError(message)
        return int(text)
    return default


def _flag(environ: Mapping[str, str], name: str) -> bool:
    text = environ.get(name, "").strip().lower()
    if text in {"true", "1", "yes", "on"}:
        return True
    if text in {"", "false", "0", "no", "off"}:
        return False
    message = f"{name} is '{text}', not true or false"
    raise SettingsError(message)
