"""One run of the program: its workspace, its progress on standard error, its results on output."""

from __future__ import annotations

import shutil
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from twinforge.errors import UsageError
from twinforge.report.progress import Progress
from twinforge.report.tables import Style
from twinforge.wholefile import json_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from twinforge.api.workspace import Workspace

__all__ = ["Session"]

_ENGINE_DIR = "/var/lib/twinforge"


@dataclass(frozen=True, slots=True)
class Session:
    """What the options before the verb say.

    Environment: ``TWINFORGE_ENGINE_DIR`` moves the data of an engine of our own,
    ``TWINFORGE_CACHE_DIR`` the cache of bases, ``NO_COLOR`` switches colours off.
    """

    project: str
    environ: Mapping[str, str]
    quiet: bool
    debug: bool

    @property
    def engine_dir(self) -> Path:
        """Where an engine of our own lives, machine-wide."""
        return Path(self.environ.get("TWINFORGE_ENGINE_DIR") or _ENGINE_DIR)

    @property
    def cache_dir(self) -> Path:
        """Where bases are kept: the user's cache folder by the XDG rules."""
        named = self.environ.get("TWINFORGE_CACHE_DIR")
        if named:
            return Path(named)
        home = self.environ.get("HOME") or "/root"
        return Path(self.environ.get("XDG_CACHE_HOME") or f"{home}/.cache") / "twinforge"

    @contextmanager
    def workspace(self) -> Iterator[Workspace]:
        """Give the workspace, with its progress drawn while the body runs.

        Raises:
            UsageError: The folder is no project.
        """
        from twinforge.api.workspace import Workspace  # noqa: PLC0415 - heavy, and not always needed

        with self.progress() as progress:
            yield Workspace(self.root, self.environ, self.engine_dir, self.cache_dir, progress)

    @property
    def root(self) -> Path:
        """The project's folder.

        Raises:
            UsageError: The folder is no project.
        """
        root = Path(self.project).resolve()
        if not (root / "matrix.yaml").is_file():
            message = f"'{self.project}' is no project: it has no matrix.yaml"
            raise UsageError(message, hint="give the project's folder with -C DIR")
        return root

    @contextmanager
    def progress(self) -> Iterator[Progress]:
        """Draw events on standard error while the body runs."""
        terminal = sys.stderr.isatty()
        with Progress(sys.stderr, live=terminal, colour=self._colour, quiet=self.quiet) as progress:
            yield progress

    @property
    def style(self) -> Style:
        """How tables are drawn on standard output."""
        width = shutil.get_terminal_size((100, 24)).columns
        return Style(terminal=sys.stdout.isatty(), colour=self._colour, width=width)

    @property
    def _colour(self) -> bool:
        return not self.environ.get("NO_COLOR")

    @staticmethod
    def show(text: str) -> None:
        """Print a result."""
        click.echo(text.rstrip("\n"))

    @staticmethod
    def show_json(value: object) -> None:
        """Print a result for a machine."""
        click.echo(json_text(value), nl=False)
