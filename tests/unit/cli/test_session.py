from __future__ import annotations

from pathlib import Path

import pytest

from twinforge.cli.session import Session


def session(**environ: str) -> Session:
    return Session(".", environ, quiet=False, debug=False)


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"HOME": "/home/me"}, "/home/me/.cache/twinforge"),
        ({}, "/root/.cache/twinforge"),
        ({"HOME": "/home/me", "XDG_CACHE_HOME": "/cache"}, "/cache/twinforge"),
        ({"XDG_CACHE_HOME": "/cache", "TWINFORGE_CACHE_DIR": "/mine"}, "/mine"),
    ],
)
def test_the_cache_is_where_the_environment_says(environ: dict[str, str], folder: str) -> None:
    assert session(**environ).cache_dir == Path(folder)


def test_an_engine_of_our_own_is_machine_wide_unless_it_is_moved() -> None:
    assert session().engine_dir == Path("/var/lib/twinforge")
    assert session(TWINFORGE_ENGINE_DIR="/data").engine_dir == Path("/data")
