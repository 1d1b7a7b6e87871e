"""An engine in memory, as far as local jobs and endpoints see one; and a clock that does not tick."""

from __future__ import annotations

import io
import tarfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from twinforge.errors import UsageError
from twinforge.sagemaker.local.desk import KIND, LABEL, Look, Machine
from twinforge.sagemaker.local.files import Piece, tar_chunks
from twinforge.sagemaker.local.means import LocalMeans
from twinforge.sagemaker.patience import Patience

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from twinforge.events import Event
    from twinforge.sagemaker.local.desk import Kind, Spec
    from twinforge.sagemaker.place import Place


@dataclass
class Clock:
    """Time that goes on when somebody sleeps."""

    now_s: float = 1000.0

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds

    def now(self) -> float:
        return self.now_s


@dataclass
class Box:
    """A container: what it was made of, its files by path, and what it was sent when."""

    id: str
    spec: Spec
    name: str
    files: dict[str, bytes] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)
    started_s: float | None = None
    exit_status: int | None = None
    was_out_of_memory: bool = False
    signals: list[tuple[float, str]] = field(default_factory=list)
    printed: list[str] = field(default_factory=list)

    @property
    def was_told_to_end(self) -> bool:
        return any(name == "SIGTERM" for _, name in self.signals)


@dataclass
class FakeDesk:
    """A :class:`twinforge.sagemaker.local.desk.Desk`.

    Attributes:
        clock: Tells how long a container runs.
        program: What every container does, called with the seconds since its start: returns its
            exit status, or None while it runs.
        refuses_start: What the engine says of a program that it can't run.
        boxes: Those that are there.
        removed: The names of those that were removed, those of volumes below them.
    """

    clock: Clock
    program: Callable[[Box, float], int | None]
    refuses_start: str = ""
    boxes: dict[str, Box] = field(default_factory=dict)
    made: list[Spec] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    volumes: dict[str, dict[str, bytes]] = field(default_factory=dict)
    url: str = "http://127.0.0.1:9"
    on_put: Callable[[Box], None] = lambda _: None

    def machine(self) -> Machine:
        return Machine(2, 8 << 30)

    def create(self, spec: Spec) -> str:
        if any(box.name == spec.name for box in self.boxes.values()):
            message = f"the engine has the {spec.labels[LABEL].replace('/', ' ')} already"
            raise UsageError(message)
        box = Box(f"box-{len(self.made)}", spec, spec.name)
        for mount in spec.mounts:
            box.files = self.volumes.setdefault(mount.volume, {})
        self.boxes[box.id] = box
        self.made.append(spec)
        return box.id

    def start(self, box: str) -> str:
        if not self.refuses_start:
            self.boxes[box].started_s = self.clock.now()
        return self.refuses_start

    def look(self, box: str) -> Look | None:
        found = self.boxes.get(box)
        if found is None:
            return None
        if found.started_s is not None and found.exit_status is None:
            found.exit_status = self.program(found, self.clock.now() - found.started_s)
        return Look(
            id=box,
            name=found.name,
            labels=found.spec.labels,
            is_running=found.started_s is not None and found.exit_status is None,
            has_run=found.started_s is not None,
            exit_status=found.exit_status or 0,
            was_out_of_memory=found.was_out_of_memory,
            url=self.url if found.spec.port else "",
        )

    def find(self, kind: Kind | None = None, name: str = "") -> tuple[Look, ...]:
        looks = [look for box in list(self.boxes) if (look := self.look(box)) is not None]
        return tuple(
            look
            for look in looks
            if (kind is None or look.labels[KIND] == kind)
            and (not name or look.labels[LABEL] == f"{kind}/{name}")
        )

    def signal(self, box: str, name: str) -> None:
        found = self.boxes.get(box)
        if found is None or found.exit_status is not None:
            return
        found.signals.append((self.clock.now(), name))
        if name == "SIGKILL":
            found.exit_status = 137

    def rename(self, box: str, name: str) -> None:
        self.boxes[box].name = name

    def put(self, box: str, folder: str, chunks: Iterable[bytes]) -> None:
        with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as tar:
            for member in tar:
                content = tar.extractfile(member)
                if content is not None:
                    self.boxes[box].files[f"{folder}/{member.name}"] = content.read()
                else:
                    self.boxes[box].folders.add(f"{folder}/{member.name}")
        self.on_put(self.boxes[box])

    @contextmanager
    def get(self, box: str, path: str) -> Iterator[Iterator[bytes] | None]:
        found = self.boxes[box]
        base = path.rpartition("/")[2]
        pieces = [Piece(base, None)] if path in found.folders else []
        pieces += [
            Piece(f"{base}{name.removeprefix(path)}", content)
            for name, content in found.files.items()
            if name == path or name.startswith(f"{path}/")
        ]
        yield tar_chunks(pieces) if pieces else None

    def follow(self, box: str, on_line: Callable[[str], None]) -> None:
        for line in self.boxes[box].printed:
            on_line(line)

    def last_lines(self, box: str, count: int) -> tuple[str, ...]:
        return tuple(self.boxes[box].printed[-count:])

    def remove(self, box: str, *, keep_volumes: bool = False) -> None:
        found = self.boxes.pop(box, None)
        if found is not None:
            self.removed.append(found.name)
            others = {m.volume for box in self.boxes.values() for m in box.spec.mounts}
            for mount in () if keep_volumes else found.spec.mounts:
                if mount.volume in others:
                    continue
                self.volumes.pop(mount.volume, None)

    def sweep(self) -> None:
        self.volumes.clear()


@dataclass
class FakeStorage:
    """An S3 in memory: content by bucket and key."""

    objects: dict[str, bytes] = field(default_factory=dict)

    def sizes(self, prefix: Place) -> dict[str, int]:
        start = f"{prefix.bucket}/"
        return {
            name.removeprefix(start): len(content)
            for name, content in self.objects.items()
            if name.startswith(f"{start}{prefix.key}")
        }

    def upload(self, path: Path, place: Place, moved: Callable[[int], None]) -> None:
        self.objects[f"{place.bucket}/{place.key}"] = path.read_bytes()
        moved(path.stat().st_size)

    def download(self, place: Place, path: Path, moved: Callable[[int], None]) -> None:
        content = self.objects[f"{place.bucket}/{place.key}"]
        path.write_bytes(content)
        moved(len(content))

    def delete(self, place: Place) -> None:
        self.objects.pop(f"{place.bucket}/{place.key}", None)


@dataclass
class Table:
    """A desk and all that a verb needs beside it."""

    clock: Clock
    desk: FakeDesk
    storage: FakeStorage
    events: list[Event] = field(default_factory=list)

    @property
    def means(self) -> LocalMeans:
        patience = Patience(poll_s=1.0, sleep=self.clock.sleep, clock=self.clock.now)
        return LocalMeans("test", self.desk, self.storage, patience, self.events.append)

    @property
    def said(self) -> str:
        return "\n".join(event.text for event in self.events)


def make_table(program: Callable[[Box, float], int | None]) -> Table:
    clock = Clock()
    return Table(clock, FakeDesk(clock, program), FakeStorage())
