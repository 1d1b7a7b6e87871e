"""What changed since a revision; git itself is in ``tests/engine``, here it is a folder."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from twinforge import process
from twinforge.api.changes import changed_since
from twinforge.errors import UsageError
from twinforge.process import Completed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.unit.world import World

CPU, CUDA, OTHER = (
    "words/cpu-debian12-py3.11",
    "words/cu129-debian12-py3.11",
    "other/cpu-debian12-py3.11",
)
COMMIT = "c" * 40


class FakeGit:
    """A repository with one commit: the project as it was when this was made."""

    def __init__(self, root: Path, store: Path) -> None:
        self.root = root
        self.store = shutil.copytree(root, store, ignore=shutil.ignore_patterns(".twinforge"))
        self.asked: list[list[str]] = []
        self.refused = ""

    def __call__(self, argv: Sequence[str], **options: object) -> Completed:
        self.asked.append(list(argv))
        if self.refused in argv:
            return Completed(tuple(argv), 128, "", "warning: x\nfatal: the reason\n")
        out = ""
        if "--show-toplevel" in argv:
            out = f"{self.root.parent}\n{self.root.name}/\n"
        elif "--verify" in argv:
            out = f"{COMMIT}\n"
        elif "checkout-index" in argv:
            assert options["cwd"] == self.root.parent
            (prefix,) = (word for word in argv if word.startswith("--prefix="))
            shutil.copytree(self.store, Path(prefix.removeprefix("--prefix=")), dirs_exist_ok=True)
        return Completed(tuple(argv), 0, out, "")


@pytest.fixture
def git(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeGit:
    fake = FakeGit(world.root, tmp_path / "store")
    monkeypatch.setattr(process, "run", fake)
    return fake


def changed(world: World) -> list[str]:
    found = changed_since(world.workspace, "main")
    return [variant.id for variant in world.variants() if variant.id in found]


def test_nothing_changed_where_nothing_did(world: World, git: FakeGit) -> None:
    assert changed(world) == []
    world.edit("matrix.yaml", "bases:", "# a remark\nbases:")
    world.edit("recipes/words.yaml", "version: 1.0.0", "version: 1.0.0 # another")
    (world.root / "README.md").write_text("new")
    assert changed(world) == []
    assert git.asked[1][1:] == [
        *("rev-parse", "--verify", "--quiet", "--end-of-options"),
        "main^{commit}",
    ]
    assert git.asked[2] == ["git", "read-tree", f"{COMMIT}:project/"]


@pytest.mark.parametrize(
    ("path", "edit", "expected"),
    [
        ("recipes/words.yaml", ("[libgomp1]", "[libgomp1, curl]"), [CPU, CUDA]),
        ("recipes/words.yaml", ("1.0.0", "1.0.1"), [CPU, CUDA]),
        ("recipes/words.yaml", ("text/csv", "text/plain"), [CPU, CUDA]),
        ("recipes/other.yaml", ("2.0.0", "2.0.1"), [OTHER]),
        ("row.csv", ("1,2", "1,3"), [CPU, CUDA]),
        ("program/train", ("#!/bin/sh", "#!/bin/bash"), [OTHER, CPU, CUDA]),
        ("matrix.yaml", ('cuda: "12.9"', 'cuda: "12.8"'), [CUDA]),
        ("matrix.yaml", ("bootstrap: bookworm", "bootstrap: trixie"), [OTHER, CPU, CUDA]),
        ("matrix.yaml", ("latest-cpu", "newest-cpu"), [CPU]),
        (
            "matrix.yaml",
            ("exclude: [{recipe: other, accelerator: cu129}]\n", ""),
            ["other/cu129-debian12-py3.11"],
        ),
        ("images/words/lock.json", ('"xgboost-cu129"', '"xgboost-cu130"'), [CUDA]),
    ],
)
def test_what_a_change_concerns_has_changed(
    world: World, git: FakeGit, path: str, edit: tuple[str, str], expected: list[str]
) -> None:
    assert git.store.is_dir()
    world.edit(path, *edit)
    assert changed(world) == expected


def test_an_override_concerns_its_variants(world: World, git: FakeGit) -> None:
    assert git.store.is_dir()
    added = "program: program\noverrides: [{when: kind == cuda, env: {A: b}}]\n"
    world.edit("recipes/words.yaml", "program: program\n", added)
    assert changed(world) == [CUDA]


def test_a_program_s_mode_counts(world: World, git: FakeGit) -> None:
    (git.store / "program/note").write_text("")
    (world.root / "program/note").write_text("")
    assert changed(world) == []
    (world.root / "program/note").chmod(0o755)
    assert changed(world) == [OTHER, CPU, CUDA]


def test_a_project_that_was_wrong_then_has_changed_in_all_and_says_so(
    world: World, git: FakeGit
) -> None:
    (git.store / "matrix.yaml").write_text("bases: 1\n")
    assert changed(world) == [OTHER, CPU, CUDA]
    (event,) = world.events
    assert event.text == (
        "can't be read as of main, so every variant has changed: "
        "matrix.yaml:1:1: the key 'accelerators' is missing"
    )


@pytest.mark.parametrize(
    ("refused", "message"),
    [
        ("--show-toplevel", "is in no git repository that can be read: fatal: the reason"),
        ("--verify", "git knows no revision 'main': fatal: the reason"),
        ("read-tree", "the project was not there yet at 'main': fatal: the reason"),
    ],
)
def test_what_git_refuses_is_an_error_of_the_command_line(
    world: World, git: FakeGit, refused: str, message: str
) -> None:
    git.refused = refused
    with pytest.raises(UsageError) as caught:
        changed_since(world.workspace, "main")
    assert caught.value.message.endswith(message)
