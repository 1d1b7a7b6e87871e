"""S3: what a training job reads, and the model that it leaves. Imports boto3."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import boto3.exceptions
import s3transfer.exceptions

from twinforge.errors import AwsError
from twinforge.sagemaker.aws import Account, asking, open_client

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from twinforge.sagemaker.place import Place

__all__ = ["S3", "MutableStorage", "Storage"]


class Storage(Protocol):
    """Reads and writes objects."""

    def sizes(self, prefix: Place) -> dict[str, int]:
        """Return the sizes in bytes of the objects below a prefix, by key."""
        ...

    def upload(self, path: Path, place: Place, moved: Callable[[int], None]) -> None:
        """Write a file; ``moved`` is told of every chunk's bytes, from any thread."""
        ...

    def download(self, place: Place, path: Path, moved: Callable[[int], None]) -> None:
        """Read an object into a file; ``moved`` is told of every chunk's bytes."""
        ...


class MutableStorage(Storage, Protocol):
    """Deletes objects, too."""

    def delete(self, place: Place) -> None:
        """Delete an object; one that is not there is deleted already."""
        ...


class S3:
    """A :class:`MutableStorage` that is S3; it connects with the first call."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._opened: Any = None

    def sizes(self, prefix: Place) -> dict[str, int]:
        """Return the sizes in bytes of the objects below a prefix, by key.

        Raises:
            AwsError: S3 said no, or could not be used.
        """
        with asking("s3", f"ListObjectsV2 '{prefix}'"):
            pages = self._client().get_paginator("list_objects_v2")
            return {
                found["Key"]: found["Size"]
                for page in pages.paginate(Bucket=prefix.bucket, Prefix=prefix.key)
                for found in page.get("Contents", ())
            }

    def upload(self, path: Path, place: Place, moved: Callable[[int], None]) -> None:
        """Write a file, in parts where it is big.

        Raises:
            AwsError: S3 said no, or could not be used.
        """
        try:
            with asking("s3", f"PutObject '{place}'"):
                self._client().upload_file(str(path), place.bucket, place.key, Callback=moved)
        except boto3.exceptions.S3UploadFailedError as error:
            message = f"'{place}' could not be written: {error}"
            raise AwsError(message) from error

    def download(self, place: Place, path: Path, moved: Callable[[int], None]) -> None:
        """Read an object into a file.

        Raises:
            AwsError: S3 said no, could not be used, or the connection was cut too often.
        """
        try:
            with asking("s3", f"GetObject '{place}'"):
                self._client().download_file(place.bucket, place.key, str(path), Callback=moved)
        except s3transfer.exceptions.RetriesExceededError as error:
            message = f"'{place}' could not be read: {error}"
            raise AwsError(message) from error

    def delete(self, place: Place) -> None:
        """Delete an object.

        Raises:
            AwsError: S3 said no, or could not be used.
        """
        with asking("s3", f"DeleteObject '{place}'"):
            self._client().delete_object(Bucket=place.bucket, Key=place.key)

    def _client(self) -> Any:
        if self._opened is None:
            self._opened = open_client("s3", self._account)
        return self._opened
