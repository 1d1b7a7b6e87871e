"""Data and models from where they are: a folder, an archive or S3, and results back to S3."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from twinforge.errors import UsageError
from twinforge.events import Event, State
from twinforge.sagemaker.archive import extract_model
from twinforge.sagemaker.local.files import Piece, files_below
from twinforge.sagemaker.place import Place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twinforge.events import Listener
    from twinforge.sagemaker.storage import Storage

__all__ = ["S3_SCHEME", "download", "input_files", "model_pieces"]

S3_SCHEME = "s3://"


def download(storage: Storage, source: str, folder: Path, *, listener: Listener) -> None:
    """Download all objects below a prefix into a folder; an address of an object is that object.

    Raises:
        UsageError: There is no such object.
        AwsError: S3 said no, or could not be used.
    """
    prefix = Place.parse(source)
    sizes = {key: size for key, size in storage.sizes(prefix).items() if not key.endswith("/")}
    if not sizes:
        message = f"there is nothing below '{source}'"
        raise UsageError(message)
    total, done = sum(sizes.values()), 0

    def moved(count: int) -> None:
        nonlocal done
        done += count
        listener(Event("fetch", source, State.PROGRESS, "", done, total, "bytes"))

    listener(Event("fetch", source, State.STARTED, "", 0, total, "bytes"))
    for key in sizes:
        target = folder / _name_below(key, prefix.key)
        if not target.resolve().is_relative_to(folder.resolve()):
            message = f"the object '{key}' would be written outside of its folder"
            raise UsageError(message)
        target.parent.mkdir(parents=True, exist_ok=True)
        storage.download(Place(prefix.bucket, key), target, moved)
    listener(Event("fetch", source, State.DONE, f"{len(sizes)} objects"))


@contextmanager
def input_files(
    storage: Storage, source: str, *, listener: Listener
) -> Iterator[tuple[tuple[str, Path], ...]]:
    """Give the names and paths of the files of a folder, a file or an S3 prefix.

    Raises:
        UsageError: There is none.
    """
    if not source:  # an empty path is the folder that one is in
        message = "there is no file in ''"
        raise UsageError(message)
    with tempfile.TemporaryDirectory(prefix="twinforge-") as scratch:
        folder = Path(source)
        if source.startswith(S3_SCHEME):
            folder = Path(scratch)
            download(storage, source, folder, listener=listener)
        found = tuple(files_below(folder, links=True))
        if not found:
            message = f"there is no file in '{source}'"
            raise UsageError(message)
        yield found


@contextmanager
def model_pieces(
    storage: Storage, source: str, *, max_bytes: int, listener: Listener
) -> Iterator[tuple[Piece, ...]]:
    """Give the files of a model, as they lie below ``/opt/ml``.

    Args:
        storage: S3.
        source: A folder, a ``tar.gz``, or the S3 address of one.
        max_bytes: How big it may be, unpacked.
        listener: Told of a download.

    Raises:
        UsageError: It is not there, or a folder holds a link.
        TwinforgeError: The archive is damaged, too big, or holds a link or what lies outside of it.
    """
    with tempfile.TemporaryDirectory(prefix="twinforge-") as scratch:
        path = Path(source)
        if source.startswith(S3_SCHEME):
            download(storage, source, Path(scratch, "fetched"), listener=listener)
            found = [one for _, one in files_below(Path(scratch, "fetched"), links=True)]
            if len(found) != 1:
                message = f"'{source}' is {len(found)} objects, and a model is one tar.gz"
                raise UsageError(message)
            path = found[0]
        if path.is_file():
            extract_model(path, Path(scratch, "model"), max_bytes=max_bytes)
            path = Path(scratch, "model")
        elif not source or not path.is_dir():
            message = f"there is no model '{source}'"
            hint = "give a folder, a model.tar.gz or s3://bucket/key/model.tar.gz"
            raise UsageError(message, hint=hint)
        files = tuple(files_below(path, links=False))
        yield (Piece("model", None), *(Piece(f"model/{name}", one) for name, one in files))


def _name_below(key: str, prefix: str) -> str:
    """Return what an object is called below a prefix, which need not end at a slash.

    >>> _name_below("data/train/a.csv", "data/train"), _name_below("data/a.csv", "data/a.csv")
    ('a.csv', 'a.csv')
    """
    folder = prefix if prefix.endswith("/") or not prefix else f"{prefix}/"
    if key.startswith(folder):
        return key.removeprefix(folder)
    return key.removeprefix(prefix.rpartition("/")[0]).lstrip("/")
