from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.world import World, make_project, make_world

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Two recipes, three variants, not locked."""
    return make_project(tmp_path / "project")


@pytest.fixture
def world(project: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """The project, locked and rendered; builder and base are in memory."""
    return make_world(project, monkeypatch)
