"""What tests with a real engine share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from twinforge.build.bases import make_base
from twinforge.engine.engine import Engine, Settings, find_engine
from twinforge.events import ignore
from twinforge.lock.document import read_bases
from twinforge.model.load import load_project

if TYPE_CHECKING:
    from twinforge.model.project import Project

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def engine() -> Engine:
    """The engine that answers; tests/conftest.py has seen that there is one."""
    found = find_engine(Settings(dict(os.environ), Path("/var/lib/twinforge")))
    assert found is not None
    return found


@pytest.fixture(scope="session")
def shipped() -> Project:
    """This checkout's own recipes and matrix."""
    return load_project(ROOT)


@pytest.fixture(scope="session")
def cache_dir() -> Path:
    """Where bases are kept: the user's own cache, so that a base is made once per machine."""
    named = os.environ.get("TWINFORGE_CACHE_DIR")
    return Path(named) if named else Path.home() / ".cache" / "twinforge"


@pytest.fixture(scope="session")
def base_image(engine: Engine, shipped: Project, cache_dir: Path) -> str:
    """A Debian 12 with Python in the engine, by its reference: the base of the shipped recipe."""
    base = next(one for one in shipped.matrix.bases if one.name == "debian-12")
    made = make_base(
        base,
        read_bases(ROOT).get(base.name),
        engine=engine,
        cache_dir=cache_dir,
        listener=ignore,
        locked=False,
    )
    return made.reference
