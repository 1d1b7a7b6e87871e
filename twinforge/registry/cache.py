"""What is remembered between pushes: which blob a layer became, and which repositories hold it.

Nothing depends on it: an entry is a guess that a registry confirms before it is used, and a file
that can't be read is an empty one.
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
from typing import TYPE_CHECKING, Any

from twinforge.model.reference import Digest
from twinforge.registry.manifest import Blob
from twinforge.wholefile import write_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["BlobCache"]

FORMAT = 1


class BlobCache:
    """Blobs by diff id, in one JSON file; may be used by several threads and processes at once.

    A diff id is the digest of a layer before it was compressed.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._blobs: dict[str, Blob] | None = None
        self._places: dict[str, dict[str, list[str]]] = {}

    def blob(self, diff_id: Digest) -> Blob | None:
        """Return what a layer became when it was compressed last."""
        with self._lock:
            return self._loaded().get(str(diff_id))

    def repositories(self, host: str, digest: Digest) -> tuple[str, ...]:
        """Return the repositories of a registry that were seen to hold a blob."""
        with self._lock:
            self._loaded()
            return tuple(self._places.get(host, {}).get(str(digest), ()))

    def record(self, diff_id: Digest, blob: Blob, *, host: str, repository: str) -> None:
        """Remember that a repository holds a layer as this blob; ``save`` writes it down."""
        with self._lock:
            self._loaded()[str(diff_id)] = blob
            places = self._places.setdefault(host, {}).setdefault(str(blob.digest), [])
            if repository not in places:
                places.append(repository)

    def save(self) -> None:
        """Write everything down, together with what other processes wrote meanwhile."""
        with self._lock:
            blobs, places = self._loaded(), self._places
            self._path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(self._path.parent, os.O_RDONLY)
            try:
                # The folder is the lock: the file itself is replaced.
                fcntl.flock(handle, fcntl.LOCK_EX)
                other_blobs, other_places = _read(self._path)
                for host, found in other_places.items():
                    for digest, repositories in found.items():
                        here = places.setdefault(host, {}).setdefault(digest, [])
                        here.extend(name for name in repositories if name not in here)
                _write(self._path, {**other_blobs, **blobs}, places)
            finally:
                os.close(handle)

    def _loaded(self) -> dict[str, Blob]:
        if self._blobs is None:
            self._blobs, self._places = _read(self._path)
        return self._blobs


def _read(path: Path) -> tuple[dict[str, Blob], dict[str, dict[str, list[str]]]]:
    try:
        document: Any = json.loads(path.read_bytes())
        if document["version"] != FORMAT:
            return {}, {}
        blobs = {
            str(Digest.parse(diff_id)): Blob(Digest.parse(entry["digest"]), int(entry["size"]))
            for diff_id, entry in document["layers"].items()
        }
        places = {
            str(host): {str(digest): [str(name) for name in names] for digest, names in at.items()}
            for host, at in document["repositories"].items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}, {}
    return blobs, places


def _write(
    path: Path, blobs: Mapping[str, Blob], places: Mapping[str, Mapping[str, list[str]]]
) -> None:
    document = {
        "version": FORMAT,
        "layers": {
            diff_id: {"digest": str(blob.digest), "size": blob.size_bytes}
            for diff_id, blob in sorted(blobs.items())
        },
        "repositories": {
            host: {digest: sorted(names) for digest, names in sorted(at.items())}
            for host, at in sorted(places.items())
        },
    }
    write_json(path, document)
