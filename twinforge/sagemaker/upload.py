"""Local folders on their way to S3: named by content, so that what is there is not sent again."""

from __future__ import annotations

import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from twinforge.errors import UsageError
from twinforge.events import Event, State
from twinforge.sagemaker.tree import files_followed, unreadable

if TYPE_CHECKING:
    from pathlib import Path

    from twinforge.events import Listener
    from twinforge.sagemaker.place import Place
    from twinforge.sagemaker.storage import Storage

__all__ = ["Upload", "plan_upload", "upload"]

_CHUNK = 1 << 20
_DIGITS = 16
_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Upload:
    """The files of a channel and where they go.

    Attributes:
        channel: The channel's name.
        place: The prefix below which they go; it ends with their content's hash.
        files: Path on this machine by name below the prefix, sorted.
        sizes: Bytes by name.
    """

    channel: str
    place: Place
    files: dict[str, Path]
    sizes: dict[str, int]

    @property
    def total_bytes(self) -> int:
        """The bytes of all files."""
        return sum(self.sizes.values())


def plan_upload(channel: str, source: Path, below: Place) -> Upload:
    """Read a folder or a file; return what would be sent where.

    Links are followed, as copying the folder would.

    Raises:
        UsageError: It is not there, holds no file, or something that can't be sent.
    """
    files = {source.name: source} if source.is_file() else dict(files_followed(source))
    if not files:
        message = f"the channel '{channel}' has no files: '{source}' is no file or folder with any"
        raise UsageError(message, hint="give channel=DIR or channel=s3://bucket/prefix")
    total = hashlib.sha256()
    sizes = {}
    for name, path in files.items():
        content, sizes[name] = _hash(path)
        total.update(f"{content} {name}\n".encode())
    place = below.below(f"{channel}-{total.hexdigest()[:_DIGITS]}/")
    return Upload(channel, place, files, sizes)


def upload(storage: Storage, plan: Upload, *, listener: Listener) -> int:
    """Send what is not there with its size; return the bytes that were sent.

    Raises:
        AwsError: S3 said no, or could not be used.
    """
    there = storage.sizes(plan.place)
    missing = [
        name for name in plan.files if there.get(plan.place.below(name).key) != plan.sizes[name]
    ]
    total = sum(plan.sizes[name] for name in missing)
    if not missing:
        listener(Event("upload", plan.channel, State.SKIPPED, f"{plan.place} is there"))
        return 0
    progress = _Progress(plan.channel, total, listener)
    text = f"{len(missing)} files to {plan.place}"
    listener(Event("upload", plan.channel, State.STARTED, text, 0, total, "bytes"))

    def send(name: str) -> None:
        storage.upload(plan.files[name], plan.place.below(name), progress.moved)

    pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="upload")
    try:
        for sent in [pool.submit(send, name) for name in missing]:
            sent.result()
    finally:
        # after a failure, what has not begun is not begun any more
        pool.shutdown(cancel_futures=True)
    listener(Event("upload", plan.channel, State.DONE, text, total, total, "bytes"))
    return total


class _Progress:
    """Adds up what is told of from several threads."""

    def __init__(self, node: str, total: int, listener: Listener) -> None:
        self._node = node
        self._total = total
        self._listener = listener
        self._lock = threading.Lock()
        self._done = 0

    def moved(self, count: int) -> None:
        with self._lock:
            self._done += count
            done = self._done
        event = Event("upload", self._node, State.PROGRESS, "", done, self._total, "bytes")
        self._listener(event)


def _hash(path: Path) -> tuple[str, int]:
    digest = hashlib.sha256()
    size = 0
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
                size += len(chunk)
    except OSError as error:
        raise unreadable(path, error) from error
    return digest.hexdigest(), size
