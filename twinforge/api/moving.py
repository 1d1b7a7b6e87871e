"""What moved since the lock: the archive keeps only the newest packages, so a pin can be gone.

The build then goes on with what is there, says so, and the image gets another content key. What was
found is kept beside the ledger and holds for as long as the lock says the same, so that the next
run plans with it at once.
"""

from __future__ import annotations

import hashlib
import json
import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from twinforge.lock.locked import Deb
from twinforge.wholefile import write_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from twinforge.lock.locked import VariantLock

__all__ = ["Moves"]


@dataclass(slots=True)
class Moves:
    """Bases and Debian packages that are not what is locked, as this machine last found them.

    Attributes:
        path: The file that keeps them.
        bases: Locked digest of a base -> digest of what could be made.
        apt: Identity of a variant's pins -> name -> version of what apt installs today.
    """

    path: Path
    bases: dict[str, str] = field(default_factory=dict)
    apt: dict[str, dict[str, str]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def read(cls, path: Path) -> Moves:
        """Read the file; where it is missing or broken nothing has moved as far as we know."""
        try:
            found = json.loads(path.read_bytes())
            return cls(path, dict(found["bases"]), dict(found["apt"]))
        except (OSError, ValueError, KeyError, TypeError):
            return cls(path)

    def base_digest(self, locked: str) -> str:
        """Return the digest of what is built on for a locked digest."""
        return self.bases.get(locked, locked)

    def variant(self, locked: VariantLock) -> VariantLock:
        """Return a variant's lock with the pins that are known to be gone replaced by today's."""
        found = self.apt.get(_identity(locked)) if self.apt else None
        if found is None:
            return locked
        return replace(locked, apt=tuple(Deb(*pair) for pair in sorted(found.items())))

    def record_base(self, locked: str, now: str) -> None:
        """Remember what became of a base; the same again means that it has not moved."""
        with self._lock:
            if self.base_digest(locked) == now:
                return
            if locked == now:
                del self.bases[locked]
            else:
                self.bases[locked] = now
            self._write()

    def record_apt(self, locked: VariantLock, now: Mapping[str, str]) -> None:
        """Remember what apt installs today for a variant of the lock."""
        with self._lock:
            self.apt[_identity(locked)] = dict(now)
            self._write()

    def _write(self) -> None:
        write_json(self.path, {"bases": self.bases, "apt": self.apt})


def _identity(locked: VariantLock) -> str:
    text = json.dumps([locked.slug, locked.base, [str(package) for package in locked.apt]])
    return hashlib.sha256(text.encode()).hexdigest()[:32]
