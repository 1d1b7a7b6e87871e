"""The code of script mode: from a folder, an archive or S3 into a folder of its own."""

from __future__ import annotations

import lzma
import tarfile
import tempfile
import zlib
from pathlib import Path, PurePosixPath
from typing import Any

from twinforge.runtime.job import JobError

__all__ = ["code_folder"]

_FILE = "file://"
_READ_BYTES = 1 << 20


def code_folder(source: str, root: Path) -> Path:
    """Return the folder with the code that a job names.

    Args:
        source: A folder, an archive, ``file://`` and either, or either's address in S3; empty for
            the channel ``code``, or the image's own ``code``.
        root: ``/opt/ml``; what is fetched or unpacked goes to ``code`` in it.

    Raises:
        JobError: It is not there, or can't be had.
    """
    if not source:
        channel = root / "input/data/code"
        return channel if channel.is_dir() else root / "code"
    if source.startswith("s3://"):
        return _fetched(source, root)
    path = Path(source.removeprefix(_FILE) or "/dev/null")  # an empty path is where one is
    if path.is_dir():
        return path
    if path.is_file():
        return _unpacked(path, _new_folder(root))
    message = f"the submit directory '{source}' does not exist"
    raise JobError(message)


def _fetched(source: str, root: Path) -> Path:
    try:
        import boto3  # noqa: PLC0415 - only where the image has it
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415
    except ImportError as error:
        message = (
            f"the code at '{source}' needs boto3, which this image has not and nothing is installed "
            "at start: add boto3 to the recipe's packages"
        )
        raise JobError(message) from error
    bucket, _, key = source.removeprefix("s3://").partition("/")
    folder = _new_folder(root)
    try:
        client = boto3.client("s3")
        if key.endswith((".tar.gz", ".tgz")):
            with tempfile.NamedTemporaryFile(suffix=".tar.gz") as archive:
                client.download_fileobj(bucket, key, archive)
                archive.flush()
                return _unpacked(Path(archive.name), folder)
        _download_folder(client, bucket, f"{key.rstrip('/')}/", folder)
    except (BotoCoreError, ClientError, OSError) as error:
        message = f"the code at '{source}' can't be fetched: {error}"
        raise JobError(message) from error
    return folder


def _download_folder(client: Any, bucket: str, prefix: str, folder: Path) -> None:
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for item in page.get("Contents", ()):
            name = PurePosixPath(item["Key"].removeprefix(prefix))
            if item["Key"].endswith("/") or not name.parts:
                continue
            if name.is_absolute() or ".." in name.parts:
                message = f"the object '{item['Key']}' leads outside its folder"
                raise JobError(message)
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            client.download_file(bucket, item["Key"], str(target))


def _unpacked(archive: Path, folder: Path) -> Path:
    try:
        with tarfile.open(archive) as tar:
            members = tar.getmembers()
            for member in members:
                name = PurePosixPath(member.name)
                what = ""
                if name.is_absolute() or ".." in name.parts:
                    what = "which lies outside of it"
                elif not (member.isfile() or member.isdir()):
                    what = "which is a link or no ordinary file"
                if what:
                    message = f"the archive holds '{member.name}', {what}"
                    raise JobError(message)
            for member in members:
                target = folder / member.name
                content = tar.extractfile(member)
                if content is None:
                    target.mkdir(parents=True, exist_ok=True)
                    continue
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content.read())
                target.chmod(0o755 if member.mode & 0o111 else 0o644)
            # A checksum comes last, behind the archive's end.
            while tar.fileobj is not None and tar.fileobj.read(_READ_BYTES):
                pass
    except (tarfile.TarError, EOFError, OSError, lzma.LZMAError, zlib.error) as error:
        message = f"the archive '{archive.name}' can't be unpacked: {error}"
        raise JobError(message) from error
    return folder


def _new_folder(root: Path) -> Path:
    folder = root / "code"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError:
        return Path(tempfile.mkdtemp(prefix="code-"))
