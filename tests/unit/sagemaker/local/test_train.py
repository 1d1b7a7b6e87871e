from __future__ import annotations

import tarfile
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.fakes.desk import Box, Table, make_table
from twinforge.errors import AwsError, TrainError, TwinforgeError, UsageError
from twinforge.sagemaker.local.job import LocalJob
from twinforge.sagemaker.local.limits import Limits
from twinforge.sagemaker.local.results import Places
from twinforge.sagemaker.local.train import run_job

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from twinforge.sagemaker.local.results import LocalTrained
    from twinforge.sagemaker.place import Place

JOB = LocalJob(
    name="words-1",
    recipe="words",
    variant="cpu",
    image_id="sha256:0",
    instance="ml.m5.large",
    hyperparameters={"depth": "4"},
)
LIMITS = Limits(2, 4 << 30, gpus=False, notes=())
CONTAINER = "twinforge-training-words-1"


def learns(box: Box, seconds: float) -> int | None:
    """Take ten seconds, leave a model and print a line."""
    if seconds < 10:
        return None
    box.files["/opt/ml/model/learned.json"] = b"{}"
    return 0


def run(table: Table, tmp_path: Path, job: LocalJob = JOB, checkpoints: str = "") -> LocalTrained:
    places = Places(str(tmp_path / "out"), tmp_path / "train.log", checkpoints)
    return run_job(table.means, job, LIMITS, places)


def phases(table: Table) -> list[str]:
    known = {"Starting", "Downloading", "Training", "Stopping", "Uploading"}
    return [event.text for event in table.events if event.text in known]


def names_in(archive: str) -> list[str]:
    with tarfile.open(archive) as tar:
        return tar.getnames()


def test_a_job_that_ends_well_leaves_its_model_and_nothing_in_the_engine(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/rows.csv").write_text("1,2\n")
    table = make_table(learns)
    seen: dict[str, bytes] = {}
    table.desk.on_put = lambda box: seen.update(box.files)
    done = run(table, tmp_path, replace(JOB, channels={"training": str(tmp_path / "data")}))
    assert (done.status, done.phase, done.reason) == ("Completed", "Completed", "")
    assert done.model == str(tmp_path / "out/words-1/output/model.tar.gz")
    assert names_in(done.model) == ["learned.json"]
    assert done.output == ""
    assert done.seconds == 10
    assert phases(table) == ["Starting", "Downloading", "Training", "Uploading"]
    assert seen["/opt/ml/input/data/training/rows.csv"] == b"1,2\n"
    assert seen["/opt/ml/input/config/hyperparameters.json"] == b'{\n  "depth": "4"\n}'
    assert table.desk.boxes == {}
    assert table.desk.volumes == {}
    done.refuse_unless_complete()


def test_the_container_is_made_as_the_service_makes_it(tmp_path: Path) -> None:
    table = make_table(learns)
    run(table, tmp_path, replace(JOB, is_isolated=True, env={"MODE": "fast"}))
    (spec,) = table.desk.made
    assert (spec.name, spec.image, spec.command) == (CONTAINER, "sha256:0", ("train",))
    assert (spec.hostname, spec.network, spec.port) == ("algo-1", "isolated", 0)
    assert (spec.cpus, spec.memory_bytes) == (2, 4 << 30)
    assert spec.env["MODE"] == "fast"
    assert spec.env["TRAINING_JOB_NAME"] == "words-1"
    (mount,) = spec.mounts
    assert (mount.place, mount.read_only) == ("/opt/ml", False)


def test_a_job_that_fails_says_what_the_service_would_say_and_the_last_lines(
    tmp_path: Path,
) -> None:
    def program(box: Box, _: float) -> int:
        box.files["/opt/ml/output/failure"] = b"no column 'label'"
        box.files["/opt/ml/output/data/seen.txt"] = b"x"
        box.files["/opt/ml/model/half"] = b"x"
        return 3

    table = make_table(program)
    table.desk.on_put = lambda box: setattr(box, "printed", ["loading", "Traceback", "KeyError"])
    done = run(table, tmp_path)
    assert (done.status, done.phase, done.exit_status) == ("Failed", "Failed", 3)
    assert done.reason == "AlgorithmError: no column 'label', exit code: 3"
    assert done.model == ""
    assert not (tmp_path / "out/words-1/output/model.tar.gz").exists()
    assert names_in(done.output) == ["seen.txt"]
    assert (tmp_path / "train.log").read_text() == "loading\nTraceback\nKeyError\n"
    with pytest.raises(TrainError) as caught:
        done.refuse_unless_complete()
    assert caught.value.message == (
        "the training job 'words-1' is Failed (Failed)\n"
        "reason: AlgorithmError: no column 'label', exit code: 3\n"
        "  | loading\n  | Traceback\n  | KeyError"
    )


def test_a_program_that_can_not_be_run_fails_in_the_engine_s_words(tmp_path: Path) -> None:
    table = make_table(learns)
    table.desk.refuses_start = 'exec: "train": executable file not found in $PATH'
    done = run(table, tmp_path)
    assert done.status == "Failed"
    assert done.exit_status == -1
    assert done.reason.startswith("ClientError: ")
    assert done.reason.endswith("executable file not found in $PATH")
    assert table.desk.boxes == {}


def saves_when_told(after_s: float) -> Callable[[Box, float], int | None]:
    def program(box: Box, seconds: float) -> int | None:
        box.files["/opt/ml/model/half"] = b"x"
        told = [at for at, name in box.signals if name == "SIGTERM"]
        started = box.started_s or 0.0
        return 0 if told and started + seconds >= told[0] + after_s else None

    return program


def test_a_job_that_takes_too_long_is_stopped_and_its_model_is_kept(tmp_path: Path) -> None:
    table = make_table(saves_when_told(after_s=30))
    done = run(table, tmp_path, replace(JOB, max_runtime_s=60))
    assert (done.status, done.phase) == ("Stopped", "MaxRuntimeExceeded")
    assert names_in(done.model) == ["half"]
    assert 90 <= done.seconds <= 92
    assert "Stopping" in phases(table)
    with pytest.raises(TrainError, match=r"is Stopped \(MaxRuntimeExceeded\)") as caught:
        done.refuse_unless_complete()
    assert done.model in caught.value.hint


def test_what_does_not_end_by_sigterm_is_killed_after_120_seconds(tmp_path: Path) -> None:
    table = make_table(lambda *_: None)
    signals: list[tuple[float, str]] = []
    table.desk.on_put = lambda box: setattr(box, "signals", signals)
    done = run(table, tmp_path, replace(JOB, max_runtime_s=60))
    assert [name for _, name in signals] == ["SIGTERM", "SIGKILL"]
    assert signals[1][0] - signals[0][0] == pytest.approx(120, abs=1)
    assert (done.phase, done.exit_status) == ("MaxRuntimeExceeded", 137)


def test_a_job_that_somebody_else_stops_keeps_its_model(tmp_path: Path) -> None:
    def program(box: Box, seconds: float) -> int | None:
        box.files["/opt/ml/model/half"] = b"x"
        if seconds >= 5:
            box.name = f"{CONTAINER}.stopping"
        return 143 if box.was_told_to_end else None

    table = make_table(program)
    done = run(table, tmp_path)
    assert (done.status, done.phase, done.reason) == ("Stopped", "Stopped", "")
    assert names_in(done.model) == ["half"]


def test_checkpoints_are_kept_while_it_runs_and_when_it_has_ended(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    found: list[bool] = []

    def program(box: Box, seconds: float) -> int | None:
        box.files["/opt/ml/checkpoints/1.pt"] = b"one"
        found.append((kept / "1.pt").exists())
        if seconds < 30:
            return None
        box.files["/opt/ml/checkpoints/2.pt"] = b"two"
        return 1

    run(make_table(program), tmp_path, checkpoints=str(kept))
    assert found[0] is False
    assert found[-1] is True
    assert sorted(path.name for path in kept.iterdir()) == ["1.pt", "2.pt"]


@pytest.mark.parametrize("fails_until", [2000.0, 1008.0], ids=["always", "once"])
def test_checkpoints_that_can_not_be_kept_end_no_job_and_are_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails_until: float
) -> None:
    def program(box: Box, seconds: float) -> int | None:
        box.files["/opt/ml/checkpoints/1.pt"] = b"one"
        return learns(box, seconds - 20)

    table = make_table(program)
    upload = table.storage.upload

    def fails(path: Path, place: Place, moved: Callable[[int], None]) -> None:
        if table.clock.now() < fails_until:
            message = "PutObject: throttled"
            raise AwsError(message)
        upload(path, place, moved)

    monkeypatch.setattr(table.storage, "upload", fails)
    done = run(table, tmp_path, checkpoints="s3://bucket/kept")
    said = "the checkpoints are not all kept: PutObject: throttled"
    assert done.status == "Completed"
    assert done.notes == ((said,) if fails_until > 1500 else ())
    assert [event.text for event in table.events].count(said) == 1
    assert ("bucket/kept/1.pt" in table.storage.objects) is (fails_until < 1500)


def test_a_job_begins_again_with_its_checkpoints(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept/1.pt").write_text("one")
    seen: dict[str, bytes] = {}
    table = make_table(learns)
    table.desk.on_put = lambda box: seen.update(box.files)
    run(table, tmp_path, checkpoints=str(tmp_path / "kept"))
    assert seen["/opt/ml/checkpoints/1.pt"] == b"one"


def test_a_model_that_no_endpoint_takes_is_said(tmp_path: Path) -> None:
    done = run(make_table(lambda *_: 0), tmp_path)
    assert done.notes == ("the job left no file in /opt/ml/model: the model is empty",)
    assert names_in(done.model) == []


def test_too_little_memory_is_said(tmp_path: Path) -> None:
    def program(box: Box, _: float) -> int:
        box.was_out_of_memory = True
        return 137

    done = run(make_table(program), tmp_path)
    assert done.reason == "AlgorithmError: , exit code: 137"
    with pytest.raises(TrainError) as caught:
        done.refuse_unless_complete()
    assert "needed more memory than its instance type has" in caught.value.hint


def test_data_and_model_can_be_in_s3(tmp_path: Path) -> None:
    table = make_table(learns)
    table.storage.objects["bucket/data/rows.csv"] = b"1,2\n"
    seen: dict[str, bytes] = {}
    table.desk.on_put = lambda box: seen.update(box.files)
    job = replace(JOB, channels={"training": "s3://bucket/data"})
    places = Places("s3://bucket/models", tmp_path / "train.log")
    done = run_job(table.means, job, LIMITS, places)
    assert seen["/opt/ml/input/data/training/rows.csv"] == b"1,2\n"
    assert done.model == "s3://bucket/models/words-1/output/model.tar.gz"
    assert "bucket/models/words-1/output/model.tar.gz" in table.storage.objects


def test_a_model_that_can_not_be_uploaded_is_kept_beside_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        message = "PutObject: no"
        raise AwsError(message, hint="log in")

    def program(box: Box, _: float) -> int:
        box.files["/opt/ml/model/m"] = b"m"
        box.files["/opt/ml/output/data/d"] = b"d"
        return 0

    table = make_table(program)
    monkeypatch.setattr(table.storage, "upload", refuse)
    places = Places("s3://bucket/models", tmp_path / "state/train.log")
    with pytest.raises(AwsError, match="PutObject: no") as caught:
        run_job(table.means, JOB, LIMITS, places)
    kept = tmp_path / "state/output"
    assert caught.value.hint == (
        f"it was kept as {kept / 'model.tar.gz'}; log in; "
        f"it was kept as {kept / 'output.tar.gz'}; log in"
    )
    assert names_in(str(kept / "model.tar.gz")) == ["m"]
    assert names_in(str(kept / "output.tar.gz")) == ["d"]
    assert table.desk.boxes == {}


def test_a_model_that_can_not_be_written_at_its_place_is_kept_beside_the_log(
    tmp_path: Path,
) -> None:
    def program(box: Box, seconds: float) -> int:
        (tmp_path / "out/words-1").write_text("in the way")
        return learns(box, seconds + 10) or 0

    table = make_table(program)
    places = Places(str(tmp_path / "out"), tmp_path / "state/train.log")
    with pytest.raises(TwinforgeError, match=r"words-1/output/model.tar.gz' can't be written") as e:
        run_job(table.means, JOB, LIMITS, places)
    kept = tmp_path / "state/output/model.tar.gz"
    assert e.value.hint.startswith(f"it was kept as {kept}")
    assert names_in(str(kept)) == ["learned.json"]


def test_a_folder_that_takes_nothing_is_refused_before_anything_runs(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    table = make_table(learns)
    for output in (tmp_path / "file", tmp_path / "file/below"):
        with pytest.raises(UsageError, match=r"nothing can be written to '.*': (File|Not)"):
            run_job(table.means, JOB, LIMITS, Places(str(output), tmp_path / "train.log"))
    assert table.desk.made == []


def test_the_name_of_a_job_that_has_left_a_model_is_not_used_again(tmp_path: Path) -> None:
    table = make_table(lambda *_: 1)
    assert run(table, tmp_path).status == "Failed"  # and leaves none
    table = make_table(learns)
    kept = run(table, tmp_path).model
    with pytest.raises(UsageError, match=r"has left its model in .* already"):
        run(table, tmp_path)
    assert names_in(kept) == ["learned.json"]


def test_a_job_that_is_stopped_while_its_data_comes_never_starts(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/rows.csv").write_text("1,2\n")
    table = make_table(learns)

    def stop(box: Box) -> None:
        if "/opt/ml/input/data/first/rows.csv" in box.files:
            box.name = f"{CONTAINER}.stopping"

    table.desk.on_put = stop
    channels = dict.fromkeys(("first", "second"), str(tmp_path / "data"))
    done = run(table, tmp_path, replace(JOB, channels=channels))
    assert (done.status, done.phase, done.exit_status) == ("Stopped", "Stopped", -1)
    assert (done.model, done.notes) == ("", ())
    assert phases(table) == ["Starting", "Downloading", "Uploading"]


def test_a_job_that_removes_its_model_folder_has_no_model_and_that_is_said(tmp_path: Path) -> None:
    table = make_table(lambda *_: 0)
    table.desk.on_put = lambda box: box.folders.discard("/opt/ml/model")
    done = run(table, tmp_path)
    assert (done.status, done.model) == ("Completed", "")
    assert done.notes == ("the job has removed /opt/ml/model: there is no model",)


def test_code_of_this_machine_comes_with_the_job(tmp_path: Path) -> None:
    (tmp_path / "src/deep").mkdir(parents=True)
    (tmp_path / "src/deep/entry.py").write_text("pass")
    table = make_table(learns)
    seen: dict[str, bytes] = {}
    table.desk.on_put = lambda box: seen.update(box.files)
    run(
        table,
        tmp_path,
        replace(JOB, hyperparameters={"sagemaker_submit_directory": f"file://{tmp_path}/src"}),
    )
    assert seen["/opt/ml/code/deep/entry.py"] == b"pass"


def test_a_name_that_is_taken_is_refused_and_the_other_job_goes_on(tmp_path: Path) -> None:
    table = make_table(learns)

    def start_another(box: Box) -> None:
        del box
        with pytest.raises(UsageError, match="has the training job 'words-1' already"):
            run(table, tmp_path)

    table.desk.on_put = start_another
    assert run(table, tmp_path).status == "Completed"


def test_a_channel_that_is_not_there_leaves_nothing_behind(tmp_path: Path) -> None:
    table = make_table(learns)
    with pytest.raises(UsageError, match="there is no file or folder"):
        run(table, tmp_path, replace(JOB, channels={"training": str(tmp_path / "absent")}))
    assert table.desk.boxes == {}
    assert table.desk.removed == [CONTAINER]


def test_ctrl_c_leaves_nothing_behind(tmp_path: Path) -> None:
    def program(_: Box, seconds: float) -> None:
        if seconds > 3:
            raise KeyboardInterrupt

    table = make_table(program)
    with pytest.raises(KeyboardInterrupt):
        run(table, tmp_path)
    assert table.desk.boxes == {}
    assert table.desk.volumes == {}
