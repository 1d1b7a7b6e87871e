from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from twinforge.engine import install
from twinforge.errors import MissingToolError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def apt_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "apt"
    for name in ("sources.list.d", "preferences.d"):
        (folder / name).mkdir(parents=True)
    (folder / "sources.list").write_text("deb http://vendor.example bookworm main\n")
    (folder / "sources.list.d" / "debian.sources").write_text(
        "Types: deb\nURIs: http://mirror.example/debian\nSuites: bookworm\nComponents: main\n"
    )
    (folder / "sources.list.d" / "old.list.save").write_text("deb http://gone.example x main\n")
    (folder / "preferences.d" / "vendor").write_text("Package: x\nPin: version 1\n")
    return folder


def test_the_next_release_is_added_to_copies_and_the_machine_stays_as_it_is(
    apt_dir: Path, tmp_path: Path
) -> None:
    before = {path: path.read_bytes() for path in apt_dir.rglob("*") if path.is_file()}
    folder = tmp_path / "own"
    options = install._private_sources(folder, apt_dir, ["docker.io"])
    assert {path: path.read_bytes() for path in apt_dir.rglob("*") if path.is_file()} == before
    parts = folder / "sources.list.d"
    assert sorted(path.name for path in parts.iterdir()) == [
        "00-sources.list",
        "01-debian.sources",
        "twinforge.sources",
    ]
    assert "Uris: http://mirror.example/debian\n" in (parts / "twinforge.sources").read_text()
    pins = sorted(path.name for path in (folder / "preferences.d").iterdir())
    assert pins == ["00-twinforge", "01-vendor"]
    assert f"-oDir::Etc::sourceparts={parts}" in options
    assert "-oDir::Etc::sourcelist=/dev/null" in options


def test_a_machine_without_its_archive_among_its_sources_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(MissingToolError, match="no apt source of this machine names"):
        install._private_sources(tmp_path / "own", tmp_path / "apt", ["docker.io"])
