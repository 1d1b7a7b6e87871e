"""The content key: one digest over everything that decides an image.

Two images with one key are the same image, so a key that exists means nothing to build. What goes
in is kept by name, so that a plan can say what changed.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["DEBS", "RENDERER", "ContentKey", "ProgramFile", "content_key"]

RENDERER = "1"
"""Goes up when the same Dockerfile would be built to other bytes by this program."""


DEBS = "debs.txt"
"""The generated file that names the Debian packages' files, as ``sha256sum`` writes it."""


@dataclass(frozen=True, slots=True, order=True)
class ProgramFile:
    """A file of the program: path inside its folder, whether it is executable, sha256 in hex."""

    path: str
    executable: bool
    sha256: str


@dataclass(frozen=True, slots=True)
class ContentKey:
    """The key (64 hexadecimal digits) and the digest of each of its parts, by name."""

    hex: str
    parts: Mapping[str, str]

    def changed_from(self, parts: Mapping[str, str]) -> tuple[str, ...]:
        """Return the names of the parts that differ from those of another key, sorted."""
        names = self.parts.keys() | parts.keys()
        return tuple(sorted(n for n in names if self.parts.get(n) != parts.get(n)))


def content_key(  # noqa: PLR0913 - all that decides an image, by keyword
    files: Mapping[str, str],
    *,
    base_digest: str,
    program: tuple[ProgramFile, ...],
    uv_version: str,
    runtime: tuple[ProgramFile, ...] = (),
    cpu_arch: str = "amd64",
) -> ContentKey:
    """Return the key of an image.

    Args:
        files: The variant's generated files, of which ``variant.json`` decides nothing.
        base_digest: Of the base that the build really stands on.
        program: All files of the program.
        uv_version: Of the uv that installs the wheels: it writes their metadata.
        runtime: All files of the built-in runtime, where the image has it.
        cpu_arch: Of the image.
    """
    layers = {name: text for name, text in files.items() if name.startswith("layers/")}
    contents: dict[str, object] = {
        "base": base_digest,
        "Dockerfile": files["Dockerfile"],
        "wheels": dict(sorted(layers.items())),
        "program": _files(program),
        "renderer": RENDERER,
        "uv": uv_version,
    }
    if DEBS in files:
        contents["debs"] = files[DEBS]
    if runtime:
        contents["runtime"] = _files(runtime)
    if cpu_arch != "amd64":
        contents["arch"] = cpu_arch
    parts = {name: _sha256(value) for name, value in contents.items()}
    return ContentKey(_sha256(parts), parts)


def _files(files: tuple[ProgramFile, ...]) -> list[list[object]]:
    return [[file.path, file.executable, file.sha256] for file in sorted(files)]


def _sha256(value: object) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
