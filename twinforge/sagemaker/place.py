"""S3 addresses. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from twinforge.errors import UsageError

__all__ = ["Place"]

_ADDRESS = re.compile(r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(?P<key>.*))?")


@dataclass(frozen=True, slots=True)
class Place:
    """An S3 address; ``key`` is a prefix where a folder is meant."""

    bucket: str
    key: str

    @classmethod
    def parse(cls, text: str) -> Place:
        """Parse ``s3://bucket/key``.

        >>> Place.parse("s3://models/digits/model.tar.gz")
        Place(bucket='models', key='digits/model.tar.gz')

        Raises:
            UsageError: It is none.
        """
        found = _ADDRESS.fullmatch(text)
        if found is None:
            message = f"'{text}' is no S3 address (s3://bucket/key)"
            raise UsageError(message)
        return cls(found["bucket"], found["key"] or "")

    def below(self, name: str) -> Place:
        """Return the address of a name below this one, which is taken for a folder."""
        return Place(self.bucket, f"{self.key.rstrip('/')}/{name}".lstrip("/"))

    def __str__(self) -> str:
        """Return ``s3://bucket/key``."""
        return f"s3://{self.bucket}/{self.key}"
