from __future__ import annotations

import stat
from pathlib import Path

from twinforge.build.runtimefiles import read_runtime, stage_runtime

SOURCE = Path(__file__).parents[3] / "twinforge/runtime"


def test_the_runtime_is_all_of_its_folder_and_its_programs_are_executable() -> None:
    files = {file.path: file.executable for file in read_runtime()}
    there = {path.relative_to(SOURCE).as_posix() for path in SOURCE.rglob("*") if path.is_file()}
    assert files.keys() == {path for path in there if "__pycache__" not in path}
    assert {path for path, executable in files.items() if executable} == {"bin/serve", "bin/train"}


def test_programs_and_package_are_staged_apart(tmp_path: Path) -> None:
    staged = stage_runtime(read_runtime(), tmp_path / "staged")
    assert sorted(path.name for path in (staged / "runtime").iterdir()) == ["bin", "runtime"]
    serve = staged / "runtime/bin/serve"
    assert stat.S_IMODE(serve.stat().st_mode) == 0o755
    assert serve.read_text().startswith("#!/opt/venv/bin/python\n")
    assert (staged / "runtime/runtime/serve.py").read_bytes() == (SOURCE / "serve.py").read_bytes()
    assert not (staged / "runtime/runtime/bin").exists()
