from __future__ import annotations

import io
import signal
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import pytest

from tests.unit.world import World, connect, make_project, make_world
from twinforge import process
from twinforge.api import workspace as workspaces
from twinforge.api.workspace import Workspace
from twinforge.cli import main
from twinforge.process import Completed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from twinforge.events import Listener


@dataclass(frozen=True, slots=True)
class Ran:
    """A run that has ended: its exit status, and what it printed where."""

    status: int
    out: str
    err: str


class Run(Protocol):
    """Runs the program in this process."""

    def __call__(self, *arguments: str, stdin: str = "") -> Ran:
        """Run it to its end."""
        ...


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """The program, in this process."""
    handlers = {one: signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGHUP)}

    def call(*arguments: str, stdin: str = "") -> Ran:
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        printed = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Ran(ended.value.code, printed.out, printed.err)

    yield call
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A locked and rendered project, in whose folder we are; engine and builder are in memory."""
    made = make_world(make_project(tmp_path / "project"), monkeypatch)
    monkeypatch.chdir(made.root)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SSL_CERT_FILE", "")
    monkeypatch.setenv("TWINFORGE_CACHE_DIR", str(tmp_path / "cache"))

    def open_workspace(
        root: Path, environ: dict[str, str], engine_dir: Path, cache_dir: Path, listener: Listener
    ) -> Workspace:
        bare = Workspace(root, environ, engine_dir, cache_dir, listener)
        made.workspace = connect(bare, made.images)
        return made.workspace

    def inspect(argv: Sequence[str], **options: object) -> Completed:
        assert options["check"] is False
        assert argv[3:5] == ["image", "inspect"]
        named = {**made.images.tags, **{one: one for one in made.images.tags.values()}}
        found = [named.get(name, "") for name in argv[7:]]
        return Completed(tuple(argv), 0 if all(found) else 1, "\n".join(found), "")

    monkeypatch.setattr(workspaces, "Workspace", open_workspace)
    monkeypatch.setattr(process, "run", inspect)
    return made
