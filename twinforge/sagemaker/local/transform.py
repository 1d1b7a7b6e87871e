"""A batch transform in the engine of this machine: every file in, a file ``.out`` out."""

from __future__ import annotations

import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from twinforge.errors import TwinforgeError
from twinforge.events import State
from twinforge.sagemaker.local.endpoint import log_of, serving
from twinforge.sagemaker.local.framing import split_records
from twinforge.sagemaker.local.invoke import Reply, post
from twinforge.sagemaker.local.records import assemble, decide, requests_of
from twinforge.sagemaker.local.sources import S3_SCHEME, input_files
from twinforge.sagemaker.place import Place

if TYPE_CHECKING:
    from twinforge.sagemaker.local.batch import Transform
    from twinforge.sagemaker.local.endpoint import Hosted, Serving
    from twinforge.sagemaker.local.limits import Limits
    from twinforge.sagemaker.local.means import LocalMeans
    from twinforge.sagemaker.local.records import Batching

__all__ = ["Transformed", "run_transform"]

_PARAMETERS_S = 2.0
_END_S = 5.0
"""How long the engine may take to tell that a container ended whose connection broke."""
_LOOK_S = 0.1
_END_NOTE = (
    "the end of a range such as [1:5] is not part of it, as in JSONPath; SageMaker's guide says that "
    "it is: see there before you rely on it"
)


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


def run_transform(
    means: LocalMeans, served: Serving, asked: Transform, limits: Limits
) -> Transformed:
    """Serve a model, send it every file, and write what it answers; nothing of it stays.

    Returns:
        How it ended; that a file could not be transformed is no exception, and the others are.

    Raises:
        UsageError: There is nothing to transform, or no model, or a filter is none.
        DeployError: The container did not start.
        TwinforgeError: The engine says no.
    """
    processing = asked.processing()
    means.tell(served.name, State.STARTED)
    if processing.input_filter.has_end or processing.output_filter.has_end:
        means.tell(served.name, State.NOTE, _END_NOTE)
    with (
        input_files(means.storage, asked.source, listener=means.listener) as files,
        ExitStack() as workers,  # ended last: their requests end with the container
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
        pool = workers.enter_context(ThreadPoolExecutor(batching.at_once))
        for name, path in files:
            job.transform(name, path, pool)
        job.look_at_container(hosted.box)
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
        self._processing = asked.processing()
        self._batching = batching
        self._url = url
        self._outputs: list[str] = []
        self._messages = [batching.told]
        self._kinds: set[str] = set()
        self._lost = False
        self._requests = 0

    def transform(self, name: str, path: Path, pool: ThreadPoolExecutor) -> None:
        """Transform one file; where that fails, say so and leave its output away."""
        try:
            content, requests = self._transformed(path.read_bytes(), pool)
        except _FileFailedError as error:
            self._failed(name, error.kind, error.messages)
        except (TwinforgeError, OSError) as error:
            self._failed(name, "ClientError", (str(error),))
        else:
            self._requests += requests
            self._outputs.append(self._write(f"{name}.out", content))

    def _transformed(self, content: bytes, pool: ThreadPoolExecutor) -> tuple[bytes, int]:
        """Return what becomes of a file, and how many requests it took."""
        asked, processing = self._asked, self._processing
        records = split_records(content, asked.split)
        sent, whole = processing.sent(records, asked.content_type)
        payloads = list(requests_of(sent, batching=self._batching))
        answers = list(pool.map(self._send, (payload.body for payload in payloads)))
        if processing.reads_answers:
            counts = (payload.count for payload in payloads)
            pairs = list(zip(answers, counts, strict=True))
            answers = processing.written(whole, pairs, asked.content_type)
        return assemble(answers, assembly=asked.assembly), len(payloads)

    def look_at_container(self, box: str) -> None:
        """Say how the container ended, if it did before it was told to.

        A connection breaks before the engine knows that the container ended.
        """
        end_s = time.monotonic() + (_END_S if self._lost else 0.0)
        while (found := self._means.desk.look(box)) is not None and found.is_running:
            if time.monotonic() >= end_s:
                return
            time.sleep(_LOOK_S)
        if found is not None:
            why = ", since it needed more memory than it has" if found.was_out_of_memory else ""
            self._messages.append(f"the container ended with status {found.exit_status}{why}")

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
                self._lost = not isinstance(error, httpx.TimeoutException)
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
