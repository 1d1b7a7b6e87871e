"""Files that recipes name: they exist, are what they have to be, and lie inside the project."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from twinforge.errors import Problem, ProjectError
from twinforge.yamlfile import parse_yaml, show_value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twinforge.yamlfile import Document

__all__ = ["ProjectFiles", "read_document"]

PROGRAMS = ("train", "serve")


@dataclass(frozen=True, slots=True)
class ProjectFiles:
    """The files below a project's root, which is resolved already."""

    root: Path

    def file_problems(self, path: str) -> Iterator[str]:
        """Yield what is wrong with a path that must be a file."""
        yield from self._problems(path, folder=False)

    def text_problems(self, path: str) -> Iterator[str]:
        """Yield what is wrong with a path that must be a text file."""
        found = list(self._problems(path, folder=False))
        yield from found
        if not found:
            try:
                (self.root / path).read_text("utf-8")
            except UnicodeDecodeError as error:
                yield f"{show_value(path)} is not UTF-8: its byte {error.start} is not"

    def folder_problems(self, path: str) -> Iterator[str]:
        """Yield what is wrong with a path that must be a folder, or with the links below it."""
        found = list(self._problems(path, folder=True))
        yield from found or self._links_out(path)

    def program_problems(self, path: str) -> Iterator[str]:
        """Yield what is wrong with a folder that must hold the executables of an image."""
        found = list(self._problems(path, folder=True))
        yield from found
        if found:
            return
        for name in PROGRAMS:
            executable = self.root / path / name
            if not executable.is_file():
                yield f"{show_value(path)} has no executable named {show_value(name)}"
            elif not executable.stat().st_mode & 0o111:
                shown = f"{path.rstrip('/')}/{name}"
                yield f"{show_value(shown)} is not executable; run chmod +x {shown}"
        yield from self._links_out(path)

    def source_problems(self, path: str) -> Iterator[str]:
        """Yield what is wrong with a Python file whose whole folder goes into an image."""
        parent = PurePosixPath(path).parent
        if PurePosixPath(path).suffix != ".py":
            yield f"{show_value(path)} is not a Python file (*.py)"
        elif not parent.parts:
            yield (
                f"{show_value(path)} has the project for its folder, and its whole folder goes into "
                "the image; move it to a folder of its own"
            )
        else:
            yield from self._problems(path, folder=False)

    def folder_of_sources_problems(self, path: str) -> Iterator[str]:
        """Yield what is wrong with a folder that goes into an image beside the runtime."""
        for name in PROGRAMS:
            if (self.root / path / name).exists():
                shown = f"{path}/{name}"
                yield f"{show_value(shown)} would run instead of the runtime's {show_value(name)}"
        yield from self._links_out(path)

    def _problems(self, path: str, *, folder: bool) -> Iterator[str]:
        full = self.root / path
        what = "folder" if folder else "file"
        try:
            if not self._is_inside(full):
                yield f"{show_value(path)} is a link that leads outside the project"
            elif not full.exists():
                yield f"the {what} {show_value(path)} does not exist"
            elif not (full.is_dir() if folder else full.is_file()):  # a pipe is neither
                yield f"{show_value(path)} is not a {what}"
        except OSError as error:
            reason = (error.strerror or "unknown reason").lower()
            yield f"the {what} {show_value(path)} can't be looked at: {reason}"

    def _links_out(self, path: str) -> Iterator[str]:
        """Yield the links that lead out, also those in folders that only a link leads to.

        What reads a folder follows its links; so does this, apart from links to folders around it.
        """
        start = self.root / path
        seen = {os.path.realpath(folder) for folder in (start, *start.parents)}
        for folder, folders, files in os.walk(start, followlinks=True):
            for name in sorted(folders + files):
                full = Path(folder, name)
                if full.is_symlink() and not self._is_inside(full):
                    shown = full.relative_to(self.root).as_posix()
                    yield f"{show_value(shown)} is a link that leads outside the project"
            # `os.walk` goes where this list says
            new = {name: os.path.realpath(Path(folder, name)) for name in sorted(folders)}
            folders[:] = [
                name
                for name, real in new.items()
                if real not in seen and self._is_inside(Path(real))
            ]
            seen.update(new.values())

    def _is_inside(self, full: Path) -> bool:
        # realpath and not Path.resolve, which raises for a loop of links in some versions of Python
        return Path(os.path.realpath(full)).is_relative_to(self.root)


def read_document(files: ProjectFiles, path: str, problems: list[Problem]) -> Document | None:
    """Return the YAML of a file inside the project, or None after saying what is wrong with it."""
    wrong = list(files.file_problems(path))
    if wrong:
        problems += [Problem(path, 0, 0, "", message) for message in wrong]
        return None
    try:
        return parse_yaml((files.root / path).read_bytes(), path)
    except ProjectError as error:
        problems += error.problems
    except OSError as error:
        message = f"the file can't be read: {(error.strerror or 'unknown reason').lower()}"
        problems.append(Problem(path, 0, 0, "", message))
    return None
