from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from twinforge.api import surroundings as module
from twinforge.api.workspace import Workspace
from twinforge.errors import ProjectError

if TYPE_CHECKING:
    from pathlib import Path


def workspace(root: Path, **environ: str) -> Workspace:
    return Workspace(root, environ, root / "engine", root / "cache")


def test_making_one_reads_and_writes_nothing(tmp_path: Path) -> None:
    made = workspace(tmp_path / "missing")
    assert made.state_dir == tmp_path / "missing/.twinforge"
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ProjectError):
        _ = made.project


def test_the_named_bundle_is_trusted_before_the_system_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named, system = tmp_path / "named.pem", tmp_path / "system.pem"
    system.write_text("")
    monkeypatch.setattr(module, "_SYSTEM_BUNDLE", system)
    assert workspace(tmp_path).ca_bundle == system
    assert workspace(tmp_path, SSL_CERT_FILE=str(named)).ca_bundle is None
    named.write_text("")
    made = workspace(tmp_path, SSL_CERT_FILE=str(named))
    assert made.ca_bundle == named
    assert made.child_environ["SSL_CERT_FILE"] == str(named)


def test_without_a_bundle_children_are_told_of_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_SYSTEM_BUNDLE", tmp_path / "missing.pem")
    assert workspace(tmp_path, PATH="/bin").child_environ == {"PATH": "/bin"}


def test_a_reread_workspace_sees_what_was_written_since(project: Path) -> None:
    made = workspace(project)
    assert len(made.project.variants) == 3
    text = (project / "matrix.yaml").read_text("utf-8")
    (project / "matrix.yaml").write_text(
        text.replace("[cpu, cu129]", "[cpu]").replace(
            "exclude: [{recipe: other, accelerator: cu129}]\n", ""
        ),
        "utf-8",
    )
    assert len(made.project.variants) == 3
    assert len(made.reread().project.variants) == 2


def test_a_log_has_a_folder_of_its_recipe(project: Path) -> None:
    made = workspace(project)
    path = made.log_path("build", made.select(["other"])[0])
    assert path == project / ".twinforge/logs/other/cpu-debian12-py3.11.build.log"
    assert path.parent.is_dir()
