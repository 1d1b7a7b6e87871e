"""A batch transform in the engine of this machine: every file in, a file ``.out`` out."""

from __future__ import annotations

import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from twinforge.errors import TwinforgeError
from twinforge.events import State
from twinforge.sagemaker.local.endpoint import log_of, serving
from twinforge.sagemaker.local.invoke import Reply, post
from twinforge.sagemaker.local.records import STRATEGIES, assemble, decide, requests_of
from twinforge.sagemaker.local.sources import S3_SCHEME, input_files
from twinforge.sagemaker.place import Place

if TYPE_CHECKING:
    from twinforge.sagemaker.local.endpoint import Hosted, Serving
    from twinforge.sagemaker.local.limits import Limits
    from twinforge.sagemaker.local.means import LocalMeans
    from twinforge.sagemaker.local.records import Batching

__all__ = ["Transform", "Transformed", "run_transform", "transform_env"]

_PARAMETERS_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Transform:
    """What a transform does.

    Attributes:
        source: A folder, a file or an S3 prefix.
        output: A folder or an S3 prefix.
        content_type: What the files are.
        accept: What the answers shall be, or empty.
        split: ``None`` or ``Line``.
        assembly: ``None`` or ``Line``.
        strategy: ``MultiRecord``, ``SingleRecord``, or empty for the container's.
        max_payload_mb: The biggest payload, None for the container's.
        at_once: How many requests at a time, 0 for the container's.
        timeout_s: How long an answer may take.
        retries: How often a request that failed is sent again.
    """

    source: str
    output: str
    content_type: str
    accept: str = ""
    split: str = "None"
    assembly: str = "None"
    strategy: str = ""
    max_payload_mb: int | None = None
    at_once: int = 0
    timeout_s: float = 600.0
    retries: int = 3


@dataclass(frozen=True, slots=True)
class Transformed:
    """A transform that has ended.

    Attributes:
        name: Its name.
        status: ``Completed`` or ``Failed``.
        reason: Why it failed, or empty.
        outputs: The files or objects that were written.
        messages: What the service writes to the job's log.
        requests: How many requests were answered well.
        last_lines: The end of the container's log.
    """

    name: str
    status: str
    reason: str
    outputs: tuple[str, ...]
    messages: tuple[str, ...]
    requests: int
    last_lines: tuple[str, ...]

    def as_json(self) -> dict[str, object]:
        """Return it as ``twinforge local transform --json`` prints it."""
        return {
            "job": self.name,
            "status": self.status,
            "reason": self.reason,
            "outputs": list(self.outputs),
            "messages": list(self.messages),
            "requests": self.requests,
        }

    def refuse_unless_complete(self) -> None:
        """Say what the service would say of a job that failed, and the logs' ends.

        Raises:
            TwinforgeError: It did.
        """
        if self.status == "Completed":
            return
        parts = [f"the transform job '{self.name}' is {self.status}", f"reason: {self.reason}"]
        parts += [f"[sagemaker logs]: {line}" for line in self.messages]
        parts += [f"  | {line}" for line in self.last_lines]
        raise TwinforgeError("\n".join(parts))


class _FileFailedError(Exception):
    """A file could not be transformed; ``messages`` is what the service logs of it."""

    def __init__(self, kind: str, messages: tuple[str, ...]) -> None:
        super().__init__(kind)
        self.kind = kind
        self.messages = messages


def transform_env(asked: Transform) -> dict[str, str]:
    """Return the variables of a transform's container: what was asked for, and nothing else.

    Source: SageMaker developer guide, "Use your own inference code with batch transform".
    """
    env = {"SAGEMAKER_BATCH": "true"}
    if asked.max_payload_mb is not None:
        env["SAGEMAKER_MAX_PAYLOAD_IN_MB"] = str(asked.max_payload_mb)
    if asked.strategy:
        env["SAGEMAKER_BATCH_STRATEGY"] = STRATEGIES[asked.strategy]
    if asked.at_once:
        env["SAGEMAKER_MAX_CONCURRENT_TRANSFORMS"] = str(asked.at_once)
    return env


def run_transform(
    means: LocalMeans, served: Serving, asked: Transform, limits: Limits
) -> Transformed:
    """Serve a model, send it every file, and write what it answers; nothing of it stays.

    Returns:
        How it ended; that a file could not be transformed is no exception, and the others are.

    Raises:
        UsageError: There is nothing to transform, or no model.
        DeployError: The container did not start.
        TwinforgeError: The engine says no.
    """
    means.tell(served.name, State.STARTED)
    with (
        input_files(means.storage, asked.source, listener=means.listener) as files,
        serving(means, served, limits, keep=False) as hosted,
    ):
        batching = decide(
            max_payload_mb=asked.max_payload_mb,
            at_once=asked.at_once,
            strategy=asked.strategy,
            parameters=_parameters(hosted),
        )
        means.tell(served.name, State.NOTE, batching.told)
        job = _Job(means, served.name, asked, batching, hosted.url)
        with ThreadPoolExecutor(batching.at_once) as pool:
            for name, path in files:
                job.transform(name, path, pool)
        done = job.ended(log_of(means, hosted))
    state = State.DONE if done.status == "Completed" else State.FAILED
    means.tell(served.name, state, done.reason or f"{len(done.outputs)} files")
    return done


class _Job:
    """A transform that runs, and what came of it so far."""

    def __init__(
        self, means: LocalMeans, name: str, asked: Transform, batching: Batching, url: str
    ) -> None:
        self._means = means
        self._name = name
        self._asked = asked
        self._batching = batching
        self._url = url
        self._outputs: list[str] = []
        self._messages = [batching.told]
        self._kinds: set[str] = set()
        self._requests = 0

    def transform(self, name: str, path: Path, pool: ThreadPoolExecutor) -> None:
        """Transform one file; where that fails, say so and leave its output away."""
        try:
            payloads = requests_of(
                path.read_bytes(), split=self._asked.split, batching=self._batching
            )
            answers = list(pool.map(self._send, payloads))
        except _FileFailedError as error:
            self._failed(name, error.kind, error.messages)
        except (TwinforgeError, OSError) as error:
            self._failed(name, "ClientError", (str(error),))
        else:
            self._requests += len(answers)
            content = assemble(answers, assembly=self._asked.assembly)
            self._outputs.append(self._write(f"{name}.out", content))

    def ended(self, last_lines: tuple[str, ...]) -> Transformed:
        """Return how it ended."""
        kind = "AlgorithmError" if "AlgorithmError" in self._kinds else "ClientError"
        return Transformed(
            name=self._name,
            status="Failed" if self._kinds else "Completed",
            reason=f"{kind}: See job logs for more information" if self._kinds else "",
            outputs=tuple(self._outputs),
            messages=tuple(self._messages),
            requests=self._requests,
            last_lines=last_lines,
        )

    def _failed(self, name: str, kind: str, messages: tuple[str, ...]) -> None:
        self._kinds.add(kind)
        lines = [f"{name}: {message}" for message in messages]
        self._messages += lines
        self._means.tell(self._name, State.NOTE, "\n".join(lines))

    def _send(self, payload: bytes) -> bytes:
        """Send a payload, again where the container fails and not where it refuses."""
        headers = {"Content-Type": self._asked.content_type, "Accept": self._asked.accept}
        named = {key: value for key, value in headers.items() if value}
        failed = _FileFailedError("AlgorithmError", ())
        for _ in range(1 + self._asked.retries):
            try:
                reply = post(self._url, payload, named, timeout_s=self._asked.timeout_s)
            except httpx.TransportError as error:
                said = f"Unable to get response from algorithm: {error}"
                failed = _FileFailedError("AlgorithmError", (said,))
                continue
            if reply.status < httpx.codes.BAD_REQUEST:
                return reply.body
            failed = _refused(reply)
            if reply.status < httpx.codes.INTERNAL_SERVER_ERROR:
                break
        raise failed

    def _write(self, name: str, content: bytes) -> str:
        output = self._asked.output
        if output.startswith(S3_SCHEME):
            place = Place.parse(output).below(name)
            with tempfile.NamedTemporaryFile() as file:
                file.write(content)
                file.flush()
                self._means.storage.upload(Path(file.name), place, lambda _: None)
            return str(place)
        target = Path(output) / name
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{target.name}.part")
        part.write_bytes(content)
        part.replace(target)
        return str(target)


def _refused(reply: Reply) -> _FileFailedError:
    """Return what the service logs of an error of the container's.

    Source: logs in aws/sagemaker-tensorflow-serving-container#93 (500) and
    aws/amazon-sagemaker-examples#1620 (400); the reason in aws/deep-learning-containers#586.
    """
    said = reply.body.decode(errors="replace").strip().splitlines() or [""]
    if reply.status < httpx.codes.INTERNAL_SERVER_ERROR:
        return _FileFailedError(
            "ClientError", (f"ClientError: {reply.status}", "", "Message:", *said)
        )
    text = f"Bad HTTP status received from algorithm: {reply.status}"
    return _FileFailedError("AlgorithmError", (text, "", "Message:", *said))


def _parameters(hosted: Hosted) -> dict[str, Any]:
    """Ask the container how it wants to be asked; not every one says it."""
    try:
        with httpx.Client(trust_env=False, timeout=_PARAMETERS_S) as client:
            answer = client.get(f"{hosted.url}/execution-parameters")
        found = answer.json() if answer.status_code == httpx.codes.OK else {}
    except (httpx.TransportError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
