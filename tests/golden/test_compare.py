"""The comparison itself, on a folder of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

Compare = Callable[[Path, Mapping[str, str]], None]


@pytest.fixture(params=[False])
def update_golden(request: pytest.FixtureRequest) -> bool:
    """Take the place of the option, so that these mean the same with it and without."""
    return bool(request.param)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a golden folder of two files."""
    folder = tmp_path / "variants"
    (folder / "layers").mkdir(parents=True)
    (folder / "Dockerfile").write_bytes(b"FROM x\nRUN a\n")
    (folder / "layers" / "small.txt").write_bytes(b"")
    return folder


def test_the_same_bytes_are_no_difference(compare_golden: Compare, folder: Path) -> None:
    compare_golden(folder, {"Dockerfile": "FROM x\nRUN a\n", "layers/small.txt": ""})


@pytest.mark.parametrize(
    ("expected", "shown"),
    [
        ({"Dockerfile": "FROM x\nRUN b\n"}, "-RUN a\n+RUN b\n"),
        ({"Dockerfile": "FROM x\r\nRUN a\n"}, "-FROM x\n+FROM x\r\n"),
        ({"Dockerfile": "FROM x\nRUN a\n", "new/file": "text\n"}, "+++ rendered/new/file"),
        ({"Dockerfile": "FROM x\nRUN a\n"}, "orphan: layers/small.txt"),
        ({}, "orphan: Dockerfile"),
    ],
)
def test_a_difference_is_shown_with_the_way_to_accept_it(
    compare_golden: Compare, folder: Path, expected: dict[str, str], shown: str
) -> None:
    with pytest.raises(pytest.fail.Exception) as caught:
        compare_golden(folder, expected)
    message = str(caught.value)
    assert shown in message
    assert "pytest tests/golden --update-golden" in message


@pytest.mark.parametrize("update_golden", [True], indirect=True)
def test_an_update_writes_what_differs_and_removes_what_nothing_renders(
    compare_golden: Compare, folder: Path
) -> None:
    compare_golden(folder, {"Dockerfile": "FROM y\r\n", "deep/er/file": ""})
    assert {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    } == {"Dockerfile": b"FROM y\r\n", "deep": None, "deep/er": None, "deep/er/file": b""}
