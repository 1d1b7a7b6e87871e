"""BuildKit's ``--progress=rawjson`` stream, read into what a person and a log want to know.

Source: https://github.com/moby/buildkit/blob/master/client/graph.go (``SolveStatus``, log data in
base64). buildx 0.13 indents each object over many lines, later ones write one a line.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["BuildProgress", "Failure"]

_STAGE = re.compile(r"\[(?P<stage>\S+?)(?: +\d+/\d+)?\]")
_PROCESS = re.compile(r'process ".*" did not complete successfully: ', re.DOTALL)
_LINE = re.compile(r"^(?P<file>[^:\s]*Dockerfile[^:\s]*):(?P<line>\d+)")
_CANCELLED = "context canceled"
_TAIL_LINES = 20


@dataclass(frozen=True, slots=True)
class Failure:
    """Where a build stopped: stage, line of the Dockerfile (0 where unknown), last output."""

    stage: str
    line: int
    message: str
    output: str


@dataclass(slots=True)
class BuildProgress:
    """Takes the stream line by line; tells the log all and the listener what goes on."""

    log: Callable[[str], None]
    on_step: Callable[[str, int, int], None]
    failed_vertex: str = ""
    message: str = ""
    line: int = 0
    _names: dict[str, str] = field(default_factory=dict)
    _done: set[str] = field(default_factory=set)
    _started: set[str] = field(default_factory=set)
    _tails: dict[str, list[str]] = field(default_factory=dict)
    _unended: dict[tuple[str, int], bytes] = field(default_factory=dict)
    _open: list[str] = field(default_factory=list)

    def feed(self, text: str) -> None:
        """Take one line: a status of BuildKit or a part of one, or buildx's own words."""
        if self._open:
            self._open.append(text)
            if text != "}":
                return
            text = "".join(self._open)
            self._open.clear()
        elif text == "{":
            self._open.append(text)
            return
        status = _object(text)
        if status is None:
            self._plain(text)
            return
        for vertex in status.get("vertexes") or ():
            self._vertex(vertex)
        for entry in status.get("logs") or ():
            self._output(entry)

    def failure(self) -> Failure:
        """Return where the build stopped, as far as the stream has told."""
        self._end_output(self.failed_vertex)
        name = self._names.get(self.failed_vertex, "")
        found = _STAGE.match(name)
        # Loading a base or a context is BuildKit's own work and no stage of the Dockerfile.
        stage = "" if name.startswith("[internal]") else found["stage"] if found else name
        tail = self._tails.get(self.failed_vertex, [])
        # The command stands in the Dockerfile, at the line that is named.
        message = _PROCESS.sub("", self.message)
        return Failure(stage, self.line, message, "\n".join(tail))

    def _plain(self, text: str) -> None:
        self.log(text)
        found = _LINE.match(text)
        if found:
            self.line = int(found["line"])
        elif text.startswith("ERROR: "):
            self.message = text.removeprefix("ERROR: ").removeprefix("failed to solve: ")

    def _vertex(self, vertex: dict[str, Any]) -> None:
        digest, name = vertex["digest"], vertex.get("name", "")
        self._names[digest] = name
        if vertex.get("started") and digest not in self._started:
            self._started.add(digest)
            self.log(f"> {name}")
        if vertex.get("completed"):
            self._end_output(digest)
        error = vertex.get("error", "")
        # What was stopped because another vertex failed has failed as well, but not by itself. Its
        # command may hold any word, so only the end of the message tells.
        if error and not self.failed_vertex and not error.endswith(_CANCELLED):
            self.failed_vertex = digest
            self.message = error
            self.log(f"! {name}: {error}")
        if vertex.get("completed") and digest not in self._done:
            self._done.add(digest)
            self.log(f"= {name}{' (cached)' if vertex.get('cached') else ''}")
        if not name.startswith("[internal]"):
            self.on_step(name, len(self._done), len(self._names))

    def _output(self, entry: dict[str, Any]) -> None:
        try:
            data = base64.b64decode(entry.get("data") or "")
        except binascii.Error:
            return
        vertex = entry["vertex"]
        # An entry is what one of two pipes held just then: it may end inside a line or a character.
        pipe = (vertex, entry.get("stream", 0))
        whole, end, rest = (self._unended.pop(pipe, b"") + data).rpartition(b"\n")
        if rest:
            self._unended[pipe] = rest
        if end:
            self._lines(vertex, whole)

    def _end_output(self, vertex: str) -> None:
        """Take what a vertex printed last without a line end."""
        for pipe in [pipe for pipe in self._unended if pipe[0] == vertex]:
            self._lines(vertex, self._unended.pop(pipe))

    def _lines(self, vertex: str, data: bytes) -> None:
        tail = self._tails.setdefault(vertex, [])
        for line in data.decode(errors="replace").splitlines():
            self.log(f"  {line}")
            tail.append(line)
        del tail[:-_TAIL_LINES]


def _object(text: str) -> dict[str, Any] | None:
    if not text.startswith("{"):
        return None
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
