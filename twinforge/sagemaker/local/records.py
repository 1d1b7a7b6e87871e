"""How a batch transform cuts a file into requests, and puts the answers together. Pure.

Source: SageMaker API reference, ``CreateTransformJob``, ``TransformInput``, ``TransformOutput``.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from twinforge.errors import TwinforgeError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["ASSEMBLIES", "SPLITS", "STRATEGIES", "Batching", "assemble", "decide", "requests_of"]

SPLITS = ("None", "Line")
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


def requests_of(content: bytes, *, split: str, batching: Batching) -> Iterator[bytes]:
    r"""Give the payloads of a file, in order; together they are the file.

    >>> one_each = Batching(6, 1, "SingleRecord")
    >>> list(requests_of(b"1,2\n3,4\n", split="Line", batching=one_each))
    [b'1,2\n', b'3,4\n']

    Raises:
        TwinforgeError: A record is bigger than a payload may be.
    """
    limit = batching.max_payload_mb * _MIB
    records = io.BytesIO(content).readlines() if split == "Line" else [content]
    payload: list[bytes] = []
    size = 0
    for record in records:
        if limit and len(record) > limit:
            message = f"a record of {len(record):,} bytes is bigger than MaxPayloadInMB allows"
            raise TwinforgeError(message, hint="raise --max-payload, or split by Line")
        is_full = batching.strategy == "SingleRecord" or (limit and size + len(record) > limit)
        if payload and is_full:
            yield b"".join(payload)
            payload, size = [], 0
        payload.append(record)
        size += len(record)
    if payload:
        yield b"".join(payload)


def assemble(answers: Sequence[bytes], *, assembly: str) -> bytes:
    r"""Return the content of an output file.

    >>> assemble([b"[1]", b"[2]\n"], assembly="Line")
    b'[1]\n[2]\n'
    """
    if assembly == "None":
        return b"".join(answers)
    return b"".join(one if one.endswith(b"\n") else one + b"\n" for one in answers)
