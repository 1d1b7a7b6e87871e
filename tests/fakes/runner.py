"""What runs the images of a fake account: containers of an engine, or a pretence without any."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True, slots=True)
class Served:
    """A container that serves: where it answers, or why it does not and what it printed."""

    url: str
    log: str
    ok: bool


@dataclass(frozen=True, slots=True)
class Learned:
    """A container that has trained: its exit status, its failure file and what it printed."""

    status: int
    failure: str
    log: str


class Runner(Protocol):
    """Runs images for the fake."""

    def serve(self, image: str, model_data: str, limit_s: int) -> Served:
        """Start a container and wait for its ``/ping``."""
        ...

    def train(self, job: Mapping[str, Any], model: str) -> Learned:
        """Run a training container and put what it leaves at an S3 address."""
        ...

    def invoke(self, url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, str, bytes]:
        """Ask a container; return status, content type and body."""
        ...


class Objects(Protocol):
    """S3, as far as asynchronous endpoints need it."""

    def get_object(self, *, Bucket: str, Key: str) -> Mapping[str, Any]:  # noqa: N803 - boto3's
        """Read an object."""
        ...

    def put_object(self, *, Bucket: str, Key: str, Body: bytes) -> object:  # noqa: N803
        """Write an object."""
        ...


class Pretence:
    """A runner without containers: images whose name holds a word of ``broken`` do not start."""

    def __init__(self) -> None:
        self.broken: set[str] = set()
        self.model: Callable[[str], None] = lambda _: None

    def serve(self, image: str, model_data: str, limit_s: int) -> Served:
        del model_data, limit_s
        is_broken = any(word in image for word in self.broken)
        return Served(f"pretence:{image}", "libcuda.so.1: no such file\n", ok=not is_broken)

    def train(self, job: Mapping[str, Any], model: str) -> Learned:
        if any(word in job["AlgorithmSpecification"]["TrainingImage"] for word in self.broken):
            return Learned(1, "no such column", "epoch 1\nTraceback\n")
        self.model(model)
        return Learned(0, "", "epoch 1\nepoch 2\n")

    def invoke(self, url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, str, bytes]:
        if body == b"break":
            return 500, "text/plain", b"it broke"
        return 200, headers.get("Accept", "text/plain"), url.encode() + b" " + body
