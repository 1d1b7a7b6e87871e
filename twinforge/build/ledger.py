"""What was built and smoked here, kept between runs: ``.twinforge/ledger.json``.

The ledger never decides alone that an image is there: the engine is asked for that. It holds what
the engine can't tell: how long a build took, what its key was made of, and which checks passed.
"""

from __future__ import annotations

import json
import threading
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING

from twinforge.wholefile import write_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["Built", "Ledger", "Smoked"]

_VERSION = 1


@dataclass(frozen=True, slots=True)
class Built:
    """A variant's last build: its key, what the key was made of, and the image."""

    key: str
    parts: Mapping[str, str]
    image_id: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Smoked:
    """The outcome of an image's checks; ``checks`` is the digest of what was asked of it."""

    passed: bool
    checks: str
    ping_s: float
    seconds: float
    failed: tuple[str, ...] = ()


@dataclass(slots=True)
class Ledger:
    """Builds by variant id and smoke results by image id. Safe to use from several threads."""

    path: Path
    built: dict[str, Built] = field(default_factory=dict)
    smoked: dict[str, Smoked] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def read(cls, path: Path) -> Ledger:
        """Read the file; a missing, older or broken one is an empty ledger, and costs a build."""
        ledger = cls(path)
        try:
            document = json.loads(path.read_text("utf-8"))
            if document["ledger"] == _VERSION:
                ledger.built = {k: Built(**v) for k, v in document["built"].items()}
                ledger.smoked = {
                    k: Smoked(**{**v, "failed": tuple(v["failed"])})
                    for k, v in document["smoked"].items()
                }
        except (AttributeError, OSError, ValueError, KeyError, TypeError):
            return cls(path)
        return ledger

    def record_build(self, variant_id: str, built: Built) -> None:
        """Remember a build and write the file."""
        with self._lock:
            self.built[variant_id] = built
            self._write()

    def record_smoke(self, image_id: str, smoked: Smoked) -> None:
        """Remember the outcome of an image's checks and write the file."""
        with self._lock:
            self.smoked[image_id] = replace(smoked)
            self._write()

    def _write(self) -> None:
        document = {
            "ledger": _VERSION,
            "built": {k: asdict(v) for k, v in sorted(self.built.items())},
            "smoked": {k: asdict(v) for k, v in sorted(self.smoked.items())},
        }
        write_json(self.path, document)
