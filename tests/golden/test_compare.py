from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

Compare = "Callable[[Path, Mapping[str, str]], None]"


@pytest.fixture
def folder(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    if request.config.getoption("--update-golden", default=False):
        pytest.fail("run these without --update-golden")
    (tmp_path / "Dockerfile").write_bytes(b"FROM x\n")
    return tmp_path


def test_the_same_bytes_are_no_difference(
    compare_golden: Callable[[Path, Mapping[str, str]], None], folder: Path
) -> None:
    compare_golden(folder, {"Dockerfile": "FROM x\n"})
