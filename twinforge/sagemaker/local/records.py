"""How a batch transform cuts a file into requests, and puts the answers together. Pure.

Source: SageMaker API reference, ``CreateTransformJob``, ``TransformInput``, ``TransformOutput``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from twinforge.errors import TwinforgeError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from twinforge.sagemaker.local.framing import Record

__all__ = ["ASSEMBLIES", "STRATEGIES", "Batching", "Payload", "assemble", "decide", "requests_of"]

ASSEMBLIES = ("None", "Line")
STRATEGIES = {"MultiRecord": "MULTI_RECORD", "SingleRecord": "SINGLE_RECORD"}
"""How the API writes a strategy -> how a container does."""

_MIB = 1 << 20
_MOST_MIB = 100
_DEFAULT_MIB = 6
_DEFAULT_AT_ONCE = 1


@dataclass(frozen=True, slots=True)
class Batching:
    """How requests are made.

    Attributes:
        max_payload_mb: The biggest payload in MiB; 0 for no limit.
        at_once: How many requests at a time.
        strategy: ``MultiRecord`` or ``SingleRecord``.
    """

    max_payload_mb: int
    at_once: int
    strategy: str

    @property
    def told(self) -> str:
        """The line that the service writes to the job's log."""
        return (
            f"MaxConcurrentTransforms={self.at_once}, MaxPayloadInMB={self.max_payload_mb}, "
            f"BatchStrategy={STRATEGIES[self.strategy]}"
        )


@dataclass(frozen=True, slots=True)
class Payload:
    """The body of a request, and how many records are in it."""

    body: bytes
    count: int


def decide(
    *, max_payload_mb: int | None, at_once: int, strategy: str, parameters: Mapping[str, Any]
) -> Batching:
    """Return what holds: what was asked for, else what the container says, else the default.

    Args:
        max_payload_mb: As asked for; None where nothing was.
        at_once: As asked for; 0 where nothing was.
        strategy: As asked for; empty where nothing was.
        parameters: What the container answers to ``GET /execution-parameters``.

    Raises:
        UsageError: It is more than the service takes together.
        TwinforgeError: The container's answer is none that the service takes.
    """
    theirs = {
        "MaxConcurrentTransforms": _DEFAULT_AT_ONCE,
        "MaxPayloadInMB": _DEFAULT_MIB,
        "BatchStrategy": STRATEGIES["MultiRecord"],
        **parameters,
    }
    written = {theirs_name: ours for ours, theirs_name in STRATEGIES.items()}
    numbers = [theirs["MaxConcurrentTransforms"], theirs["MaxPayloadInMB"]]
    if theirs["BatchStrategy"] not in written or any(
        not isinstance(one, int) or one < 0 for one in numbers
    ):
        message = f"the container's /execution-parameters are none: {dict(parameters)}"
        raise TwinforgeError(message)
    found = Batching(
        max_payload_mb=numbers[1] if max_payload_mb is None else max_payload_mb,
        at_once=at_once or numbers[0] or _DEFAULT_AT_ONCE,
        strategy=strategy or written[theirs["BatchStrategy"]],
    )
    if found.max_payload_mb * found.at_once > _MOST_MIB:
        message = (
            f"{found.at_once} requests at once of {found.max_payload_mb} MB each are more than "
            f"{_MOST_MIB} MB"
        )
        raise UsageError(message)
    return found


def requests_of(records: Sequence[Record], *, batching: Batching) -> Iterator[Payload]:
    """Give the payloads of a file's records, in order.

    Several records are sent in their frames, a single one without: so the service does it.

    Raises:
        TwinforgeError: A record is bigger than a payload may be.
    """
    limit = batching.max_payload_mb * _MIB
    is_single = batching.strategy == "SingleRecord"
    parts: list[bytes] = []
    size = 0
    for record in records:
        length = len(record.data)
        if limit and length > limit:
            message = f"a record of {length:,} bytes is bigger than MaxPayloadInMB allows"
            raise TwinforgeError(message, hint="raise --max-payload, or split by Line")
        if parts and (is_single or (limit and size + length > limit)):
            yield Payload(b"".join(parts), len(parts))
            parts, size = [], 0
        parts.append(record.data if is_single else record.framed)
        size += length
    if parts:
        yield Payload(b"".join(parts), len(parts))


def assemble(answers: Sequence[bytes], *, assembly: str) -> bytes:
    r"""Return the content of an output file.

    >>> assemble([b"[1]", b"[2]\n"], assembly="Line")
    b'[1]\n[2]\n'
    """
    if assembly == "None":
        return b"".join(answers)
    return b"".join(one if one.endswith(b"\n") else one + b"\n" for one in answers)
