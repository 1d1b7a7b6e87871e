from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import twinforge.cli.compat as verbs
from twinforge.api import refreshing
from twinforge.compat.framework_tables import parse_framework_table
from twinforge.compat.overlay import load_additions
from twinforge.lock.index import IndexFile, SimpleIndex

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Run
    from tests.unit.world import World

DATA = Path(verbs.__file__).parents[1] / "compat" / "data"
NEW = "lightgbm-99.0-py3-none-manylinux_2_31_x86_64.whl"


class Later(datetime):
    """A clock that is years ahead."""

    @classmethod
    def now(cls, tz: object = None) -> datetime:  # type: ignore[override] # one caller, with UTC
        assert tz is UTC
        return datetime(2030, 1, 1, tzinfo=UTC)


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """An index that has one new version of LightGBM; what it was asked for."""
    asked: list[str] = []

    def files(self: SimpleIndex, package: str) -> tuple[IndexFile, ...]:
        assert self.url == "https://wheels.example.org/simple"
        asked.append(package)
        return (IndexFile(NEW, ">=3.13", is_yanked=False),) if package == "lightgbm" else ()

    monkeypatch.setattr(SimpleIndex, "files", files)
    monkeypatch.setenv("UV_DEFAULT_INDEX", "internal=https://wheels.example.org/simple")
    return asked


def test_age_names_the_sources_that_are_late(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verbs, "datetime", Later)
    ran = run("compat", "age")
    assert ran.status == 0
    assert "sources have probably something new" in ran.out
    assert "frameworks/torch.yaml" in ran.out
    counted = json.loads(run("compat", "age", "--json").out)
    assert counted["late"] == len(counted["sources"])
    assert {"file", "source", "title", "collected", "habit_days", "age_days", "late"} == set(
        counted["sources"][0]
    )


def test_age_needs_no_project(run: Run, tmp_path: Path) -> None:
    assert run("-C", str(tmp_path), "compat", "age").status == 0


def test_a_dry_run_shows_what_is_new_and_writes_nothing(
    run: Run, world: World, index: list[str]
) -> None:
    ran = run("compat", "update", "lightgbm", "--dry-run", "--diff")
    assert ran.status == 0
    assert "lightgbm==99.0 (cpu): new, for Python any" in ran.out
    assert "+builds:" in ran.out
    assert index == ["lightgbm"]
    assert not (world.root / "compat").exists()


def test_without_yes_it_asks_first(run: Run, world: World, index: list[str]) -> None:
    assert index == []
    path = world.root / "compat" / "lightgbm.yaml"
    assert run("compat", "update", "lightgbm", stdin="n\n").status == 0
    assert not path.exists()
    assert run("compat", "update", "lightgbm", stdin="y\n").status == 0
    assert path.exists()


def test_what_is_written_is_data_of_the_project(run: Run, world: World, index: list[str]) -> None:
    assert run("compat", "update", "--yes").status == 0
    assert "onnxruntime-gpu" in index
    table = load_additions(world.root).tables["frameworks/lightgbm.yaml"]
    (build,) = table.builds
    assert (build.versions, build.requires_python, build.glibc) == (["99.0"], ">=3.13", "2.31")
    # a second run says the same of the same index, and may replace what the first one wrote
    assert run("compat", "update", "lightgbm", "--yes").status == 0


def test_a_file_made_by_hand_is_never_replaced(run: Run, world: World, index: list[str]) -> None:
    assert index == []
    path = world.root / "compat" / "lightgbm.yaml"
    path.parent.mkdir()
    path.write_text("# mine\n", "utf-8")
    ran = run("compat", "update", "lightgbm", "--yes")
    assert ran.status == 2
    assert "'compat/lightgbm.yaml' was not written by `twinforge compat update`" in ran.err
    assert path.read_text("utf-8") == "# mine\n"


def test_json_tells_the_changes_and_asks_nothing(run: Run, world: World, index: list[str]) -> None:
    ran = run("compat", "update", "lightgbm", "--json")
    assert ran.status == 0
    (found,) = json.loads(ran.out)
    assert found["name"] == "lightgbm"
    assert found["changes"] == ["lightgbm==99.0 (cpu): new, for Python any"]
    assert index == ["lightgbm"]
    assert not (world.root / "compat").exists()


def test_the_data_itself_keeps_its_comments_and_stays_valid(
    run: Run, world: World, index: list[str], tmp_path: Path
) -> None:
    assert index == []
    assert world.root.is_dir()
    folder = tmp_path / "data" / "frameworks"
    folder.mkdir(parents=True)
    shipped = (DATA / "frameworks" / "lightgbm.yaml").read_text("utf-8")
    (folder / "lightgbm.yaml").write_text(shipped, "utf-8")
    ran = run("compat", "update", "lightgbm", "--data", str(folder.parent), "--yes")
    assert ran.status == 0
    text = (folder / "lightgbm.yaml").read_text("utf-8")
    assert text.splitlines()[:3] == shipped.splitlines()[:3]
    table = parse_framework_table(text, "lightgbm.yaml")
    assert table.collected >= date(2026, 11, 24)
    assert [b.versions for b in table.builds][-1] == ["99.0"]


def test_an_unknown_framework_is_told_with_what_was_meant(
    run: Run, world: World, index: list[str]
) -> None:
    assert world.root.is_dir()
    ran = run("compat", "update", "lightbgm")
    assert ran.status == 3
    assert "did you mean 'lightgbm'?" in ran.err
    assert index == []


def test_an_index_with_nothing_new_is_said_to_have_nothing(
    run: Run, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert world.root.is_dir()
    monkeypatch.setattr(refreshing, "look_up_updates", lambda *_, **__: ())
    ran = run("compat", "update")
    assert ran.status == 0
    assert "the package index has nothing new" in ran.out


def test_check_tells_what_is_wrong_with_the_data_beside_the_rest(run: Run, world: World) -> None:
    (world.root / "compat").mkdir()
    (world.root / "compat" / "tensorflo.yaml").write_text("", "utf-8")
    (world.root / "matrix.yaml").write_text("bases: {}\n", "utf-8")
    ran = run("-C", str(world.root), "check")
    assert ran.status == 5
    assert "compat/tensorflo.yaml: there is no data called 'tensorflo'" in ran.err
    assert "matrix.yaml:1:1" in ran.err


def test_check_of_a_project_with_right_data_is_all_right(run: Run, world: World) -> None:
    (world.root / "compat").mkdir()
    (world.root / "compat" / "lightgbm.yaml").write_text(
        'collected: "2026-11-24"\nsources: {own: ours}\nbuilds:\n'
        '  - {versions: ["99"], device: cpu, package: lightgbm, source: [own], verified: true}\n',
        "utf-8",
    )
    assert run("-C", str(world.root), "check").status == 0
