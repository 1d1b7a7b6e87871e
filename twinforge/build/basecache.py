"""The cache of bootstrapped bases on disk: whole or not there, also when a run is interrupted."""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
import tempfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from twinforge.build.layout import Layout, read_layout, read_system, write_layout
from twinforge.wholefile import write_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["BaseCache", "Record"]

_FORMAT = 1
"""Raised when what is in the cache must be made again by a newer Twinforge."""


@dataclass(frozen=True, slots=True)
class Record:
    """What a run made: the digest of the layer, and the versions of the packages in it."""

    digest: str
    packages: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class BaseCache:
    """The bases of one name in ``folder``; layouts are named by digest and so shared by all names.

    ::

        <16 digits>/                an image layout
        <name>-<16 digits>.json     which digest certain inputs led to
        <name>.log                  what the last run printed
    """

    folder: Path
    name: str

    @property
    def log(self) -> Path:
        """What the last run for this name printed."""
        return self.folder / f"{self.name}.log"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other processes from this name until the end of the ``with``."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / f"{self.name}.lock").open("w", encoding="ascii") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    @contextmanager
    def workplace(self) -> Iterator[Path]:
        """Give a folder that is gone at the end; call it only while the name is held."""
        prefix = f".{self.name}-"
        for left_behind in self.folder.glob(f"{prefix}*.partial"):
            shutil.rmtree(left_behind, ignore_errors=True)
        folder = Path(tempfile.mkdtemp(prefix=prefix, suffix=".partial", dir=self.folder))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def keep(self, tar: Path) -> tuple[Record, Layout]:
        """Take the tar of a root file system, which lies in a workplace, into the cache."""
        system = read_system(tar)
        made = write_layout(
            tar,
            tar.parent / "layout",
            architecture=system.architecture,
            created_by="mmdebstrap",
        )
        record = Record(made.layer_digest, system.packages)
        target = self._layout(record.digest)
        if self.find(record.digest) is None:
            shutil.rmtree(target, ignore_errors=True)  # what is there was damaged
            # another name's process, which we don't hold, can have made the same one meanwhile
            with suppress(OSError):
                made.folder.rename(target)
        return record, read_layout(target)

    def find(self, digest: str) -> Layout | None:
        """Return the layout whose layer has this digest, or None."""
        try:
            layout = read_layout(self._layout(digest))
        except FileNotFoundError:
            return None
        is_whole = layout.layer_digest == digest and layout.blob(digest).is_file()
        return layout if is_whole else None

    def read_record(self, key: str) -> Record | None:
        """Return what these inputs led to before, or None."""
        try:
            found = json.loads(self._record(key).read_bytes())
        except FileNotFoundError:
            return None
        return Record(found["digest"], found["packages"])

    def write_record(self, key: str, record: Record) -> None:
        """Remember what these inputs led to."""
        content = {"key": key, "digest": record.digest, "packages": dict(record.packages)}
        write_json(self._record(key), content)

    def _layout(self, digest: str) -> Path:
        return self.folder / digest.removeprefix("sha256:")[:16]

    def _record(self, key: str) -> Path:
        hashed = hashlib.sha256(f"{_FORMAT} {key}".encode()).hexdigest()
        return self.folder / f"{self.name}-{hashed[:16]}.json"
