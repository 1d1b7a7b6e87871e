"""Golden files: what was rendered last, committed, and compared byte for byte."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

UPDATE = "--update-golden"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that writes instead of comparing."""
    parser.addoption(
        UPDATE,
        action="store_true",
        help="write the golden files in place of comparing with them; review the diff",
    )


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    """Whether golden files are written; the option exists only where pytest was given this folder."""
    return bool(request.config.getoption(UPDATE, default=False))


@pytest.fixture
def compare_golden(*, update_golden: bool) -> Callable[[Path, Mapping[str, str]], None]:
    """Compare a folder with what must stand in it: path in the folder -> text, and nothing else."""

    def compare(folder: Path, expected: Mapping[str, str]) -> None:
        if update_golden:
            _write(folder, expected)
            return
        differences = _differences(folder, expected)
        if differences:
            pytest.fail(
                f"golden files of {folder.name} differ; if they should, run\n"
                f"  pytest tests/golden {UPDATE}\nand review what changed\n{differences}",
                pytrace=False,
            )

    return compare


def _files(folder: Path) -> list[str]:
    return sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    )


def _differences(folder: Path, expected: Mapping[str, str]) -> str:
    parts = [f"orphan: {name}\n" for name in _files(folder) if name not in expected]
    for name, text in expected.items():
        path = folder / name
        # Bytes, since reading as text would hide line ends.
        old = path.read_bytes().decode() if path.is_file() else ""
        parts += difflib.unified_diff(
            old.splitlines(keepends=True),
            text.splitlines(keepends=True),
            f"golden/{name}",
            f"rendered/{name}",
        )
    return "".join(parts)


def _write(folder: Path, expected: Mapping[str, str]) -> None:
    for name in _files(folder):
        if name not in expected:
            (folder / name).unlink()
    for name, text in expected.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()
