"""Answers of an asynchronous endpoint: an object in S3, some time after the request was taken."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from twinforge.errors import AwsError, AwsRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from twinforge.sagemaker.patience import Patience
    from twinforge.sagemaker.place import Place
    from twinforge.sagemaker.storage import Storage

__all__ = ["Pending", "collect"]


@dataclass(frozen=True, slots=True)
class Pending:
    """A request that an asynchronous endpoint has taken.

    Attributes:
        id: SageMaker's name for the request.
        output: Where the container's answer will be.
        failure: Where what went wrong will be, or None for an endpoint that keeps none.
    """

    id: str
    output: Place
    failure: Place | None

    def as_json(self) -> dict[str, object]:
        """Return it as ``twinforge predict --json`` prints it."""
        failure = str(self.failure) if self.failure else None
        return {"id": self.id, "output": str(self.output), "failure": failure}


def collect(
    storage: Storage,
    pending: Pending,
    patience: Patience,
    path: Path,
    *,
    moved: Callable[[int], None] = lambda _: None,
) -> None:
    """Wait for the answer to a request and read it into a file.

    Args:
        storage: S3.
        pending: The request.
        patience: How long to wait; the request goes on when that is over.
        path: The file, which is replaced.
        moved: Told of every chunk's bytes.

    Raises:
        AwsRefusedError: The container answered with an error.
        AwsError: There is no answer yet, or S3 could not be used.
    """
    for _ in patience.looks():
        if _is_there(storage, pending.output):
            storage.download(pending.output, path, moved)
            return
        if pending.failure is not None and _is_there(storage, pending.failure):
            said = _text(storage, pending.failure)
            message = f"InvokeEndpointAsync '{pending.id}': {said.strip() or 'it failed'}"
            hint = f"all that is known of it is in {pending.failure}"
            raise AwsRefusedError(message, code="ModelError", said=said, hint=hint)
    message = f"InvokeEndpointAsync '{pending.id}': no answer within {patience.limit_s:g} s"
    raise AwsError(message, hint=f"the request goes on; its answer will be {pending.output}")


def _is_there(storage: Storage, place: Place) -> bool:
    return place.key in storage.sizes(place)


def _text(storage: Storage, place: Place) -> str:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "failure")
        storage.download(place, path, lambda _: None)
        return path.read_text(encoding="utf-8", errors="replace")
