"""What ``docs/runtime.md`` shows works as it says, and its tables are complete."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.engine.runtime_process import ROOT, serving
from tests.engine.test_runtime_train import run, write_job

pytestmark = pytest.mark.engine

PAGE = (ROOT / "docs/runtime.md").read_text("utf-8")
SOURCE = re.compile(r"^```python\n# (?P<path>\S+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
SHOWN = {Path(found["path"]).stem: found["text"] for found in SOURCE.finditer(PAGE)}


def test_the_documented_trainer_and_predictor_work_together(tmp_path: Path) -> None:
    root = write_job(tmp_path, {"scale": "2"}, {"training": "File"})
    (root / "input/data/training/words.txt").write_text("one two one")
    ended = run(tmp_path, SHOWN["trainer"], root)
    assert ended.status == 0, ended.log
    assert "the metric 'train:words' was found 1 times, its last value is 2" in ended.log
    (root / "model").rename(tmp_path / "model")
    with serving(tmp_path, SHOWN["predictor"]) as server:
        reply = server.invoke(b'["one", "three"]', "application/json")
        assert json.loads(reply.body) == [4.0, 0.0]
        reply = server.invoke(b"1", "application/json")
        assert (reply.status, json.loads(reply.body)["error"]) == (400, "a list of words is needed")


def test_every_variable_of_the_settings_is_documented() -> None:
    sources = (ROOT / "twinforge/runtime/settings.py", ROOT / "twinforge/runtime/trainer.py")
    read = {name for path in sources for name in re.findall(r'"(TWINFORGE_\w+)"', path.read_text())}
    inner = {"TWINFORGE_CONTROL_FD", "TWINFORGE_OPT_ML", "TWINFORGE_HOST", "TWINFORGE_MODEL_DIR"}
    inner |= {"TWINFORGE_PREDICTOR", "TWINFORGE_TRAINER"}  # the image sets these itself
    assert {name for name in read - inner if f"`{name}`" not in PAGE} == set()
    assert len(read - inner) == 8
