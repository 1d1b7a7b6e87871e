from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.fakes.desk import Box, Table, make_table
from twinforge.errors import DeployError, UsageError
from twinforge.events import State
from twinforge.sagemaker.local.desk import Mount, Spec, labels_of, name_of
from twinforge.sagemaker.local.endpoint import Hosted
from twinforge.sagemaker.local.runner import holding, is_held
from twinforge.sagemaker.local.running import (
    find_endpoint,
    find_running,
    list_running,
    stop_running,
)
from twinforge.sagemaker.local.watch import watch

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from twinforge.sagemaker.local.desk import Kind

HEALTHY: Callable[[str], str] = lambda _: ""  # noqa: E731 - what a ping that is answered says


def serves(box: Box, _: float) -> int | None:
    return 0 if box.was_told_to_end else None


def add(table: Table, kind: Kind, name: str, *, start: bool = True, runner: str = "") -> str:
    container = name_of(kind, name)
    facts = {"recipe": "words", "variant": "cpu", "instance": "ml.m5.large", "runner": runner}
    spec = Spec(
        name=container,
        image="i",
        command=("serve",),
        labels=labels_of(kind, name, **facts),
        mounts=(Mount(f"{container}-volume", "/opt/ml"),),
        port=0 if kind == "training" else 8080,
    )
    box = table.desk.create(spec)
    if start:
        table.desk.start(box)
    return box


def test_what_runs_is_read_from_the_engine() -> None:
    table = make_table(serves)
    add(table, "endpoint", "words")
    add(table, "training", "words-1")
    found = [(one.name, one.kind, one.status) for one in list_running(table.desk, ask=HEALTHY)]
    assert found == [("words", "endpoint", "InService"), ("words-1", "training", "InProgress")]
    first = list_running(table.desk, ask=HEALTHY)[0].as_json()
    assert (first["recipe"], first["variant"], first["instance"]) == ("words", "cpu", "ml.m5.large")


def test_an_endpoint_is_as_healthy_as_its_ping() -> None:
    table = make_table(serves)
    add(table, "endpoint", "new", start=False)
    add(table, "endpoint", "sick")
    ended = add(table, "endpoint", "ended")
    table.desk.boxes[ended].exit_status = 1
    found = {one.name: one.status for one in list_running(table.desk, ask=lambda _: "status 503")}
    assert found == {"new": "Creating", "sick": "OutOfService", "ended": "Failed"}


def test_an_endpoint_is_found_by_its_name() -> None:
    table = make_table(serves)
    add(table, "endpoint", "words")
    assert find_endpoint(table.desk, "words").url == table.desk.url
    with pytest.raises(UsageError, match="no endpoint 'wrods' runs here; did you mean 'words'"):
        find_endpoint(table.desk, "wrods")


def test_an_endpoint_that_has_ended_says_how() -> None:
    table = make_table(serves)
    box = table.desk.boxes[add(table, "endpoint", "words")]
    box.printed = ["no licence"]
    box.exit_status, box.was_out_of_memory = 137, True
    with pytest.raises(DeployError, match=r"ended with status 137\n  \| no licence") as caught:
        find_endpoint(table.desk, "words")
    assert caught.value.hint.startswith("it needed more memory than it has; end it with")


def test_an_endpoint_that_is_being_made_does_not_serve_yet() -> None:
    table = make_table(serves)
    add(table, "endpoint", "words", start=False)
    with pytest.raises(DeployError, match="'words' is Creating: it does not serve yet"):
        find_endpoint(table.desk, "words")


def test_what_runs_is_found_by_its_name() -> None:
    table = make_table(serves)
    box = add(table, "training", "words-1")
    assert find_running(table.desk, "words-1").box == box
    with pytest.raises(
        UsageError, match="nothing called 'words-2' runs here; did you mean 'words-1'"
    ):
        find_running(table.desk, "words-2")


def test_a_training_job_is_no_endpoint() -> None:
    table = make_table(serves)
    add(table, "training", "words")
    with pytest.raises(UsageError, match="no endpoint 'words' runs here"):
        find_endpoint(table.desk, "words")


def test_only_what_is_named_is_stopped() -> None:
    table = make_table(serves)
    first = add(table, "endpoint", "words")
    add(table, "endpoint", "other")
    box = table.desk.boxes[first]
    stopped = stop_running(table.means, ["words"], dry_run=False)
    assert [one.name for one in stopped] == ["words"]
    assert [name for _, name in box.signals] == ["SIGTERM"]
    assert [one.name for one in list_running(table.desk, ask=HEALTHY)] == ["other"]


def test_a_name_that_is_wrong_stops_nothing() -> None:
    table = make_table(serves)
    add(table, "endpoint", "words")
    with pytest.raises(UsageError, match="nothing called 'wrods' runs here"):
        stop_running(table.means, ["words", "wrods"], dry_run=False)
    assert len(table.desk.boxes) == 1


def test_a_dry_run_stops_nothing() -> None:
    table = make_table(serves)
    add(table, "endpoint", "words")
    assert len(stop_running(table.means, [], dry_run=True)) == 1
    assert len(table.desk.boxes) == 1


def test_stopping_everything_leaves_nothing() -> None:
    table = make_table(serves)
    add(table, "endpoint", "words")
    add(table, "training", "words-1")
    add(table, "transform", "words-2")
    stop_running(table.means, [], dry_run=False)
    assert table.desk.boxes == {}
    assert table.desk.volumes == {}


def test_a_job_is_told_to_stop_and_left_to_who_runs_it() -> None:
    table = make_table(serves)
    box = table.desk.boxes[add(table, "training", "words-1")]
    named: list[str] = []
    ended_at: list[float] = []

    def program(box: Box, _: float) -> int | None:
        named.append(box.name)
        return 0 if box.was_told_to_end else None

    sleep = table.clock.sleep

    def runner_packs_its_model(seconds: float) -> None:
        sleep(seconds)
        if box.exit_status is not None:
            ended_at.append(table.clock.now())
            if len(ended_at) == 3:
                table.desk.remove(box.id)

    table.desk.program = program
    table.clock.sleep = runner_packs_its_model  # type: ignore[method-assign] # somebody else's turn
    stop_running(table.means, ["words-1"], dry_run=False)
    assert named[-1] == "twinforge-training-words-1.stopping"
    assert len(ended_at) == 3
    assert table.desk.removed == ["twinforge-training-words-1.stopping"]


def test_a_job_that_somebody_runs_is_ended_by_them_however_long_they_pack(tmp_path: Path) -> None:
    table = make_table(serves)
    lock = tmp_path / "lock"
    box = table.desk.boxes[add(table, "training", "words-1", runner=str(lock))]
    sleep = table.clock.sleep

    def runner(seconds: float) -> None:
        sleep(seconds)
        if box.name.endswith(".stopping") and not box.signals:
            table.desk.signal(box.id, "SIGTERM")
        if table.clock.now() > 1600:  # ten minutes of packing
            held.close()
            table.desk.remove(box.id)

    table.clock.sleep = runner  # type: ignore[method-assign] # somebody else's turn
    with ExitStack() as held:
        held.enter_context(holding(lock))
        stop_running(table.means, ["words-1"], dry_run=False)
    assert [name for _, name in box.signals] == ["SIGTERM"]
    assert table.clock.now() > 1600


def test_a_job_whose_runner_does_nothing_is_ended_all_the_same(tmp_path: Path) -> None:
    table = make_table(serves)
    lock = tmp_path / "lock"
    box = table.desk.boxes[add(table, "training", "words-1", runner=str(lock))]
    sleep = table.clock.sleep

    def runner_awakes(seconds: float) -> None:
        sleep(seconds)
        if table.clock.now() > 1600:
            table.desk.remove(box.id)

    table.clock.sleep = runner_awakes  # type: ignore[method-assign] # somebody else's turn
    with holding(lock):
        stop_running(table.means, ["words-1"], dry_run=False)
    ((at, name),) = box.signals
    assert name == "SIGTERM"
    assert at - 1000 == pytest.approx(130, abs=2)


def test_a_job_whose_runner_has_died_goes_at_once(tmp_path: Path) -> None:
    table = make_table(serves)
    lock = tmp_path / "lock"
    with holding(lock):
        assert is_held(str(lock)) is True
    assert is_held(str(lock)) is False
    assert is_held(str(tmp_path / "other")) is None
    box = table.desk.boxes[add(table, "training", "words-1", runner=str(lock))]
    stop_running(table.means, ["words-1"], dry_run=False)
    assert [name for _, name in box.signals] == ["SIGTERM"]
    assert table.desk.boxes == {}
    assert table.clock.now() < 1002


def test_a_job_that_nobody_runs_any_more_goes_all_the_same() -> None:
    table = make_table(serves)
    add(table, "training", "words-1")
    stop_running(table.means, ["words-1"], dry_run=False)
    assert table.desk.boxes == {}


def test_health_that_changes_is_said_once(tmp_path: Path) -> None:
    table = make_table(serves)
    box = add(table, "endpoint", "words")
    answers = iter(["", "status 503", "status 503", "", ""])

    def ask(url: str) -> str:
        assert url == table.desk.url
        found = next(answers, None)
        if found is None:
            table.desk.signal(box, "SIGTERM")
        return found or ""

    watch(table.means, "words", Hosted(box, table.desk.url, 0.5), tmp_path / "log", ask=ask)
    said = [event.text for event in table.events if event.state is State.NOTE]
    assert said == [
        "/ping: status 503; SageMaker would replace the instance",
        "/ping says 200 again",
    ]


def test_a_container_that_ends_by_itself_is_an_error_with_its_last_lines(tmp_path: Path) -> None:
    table = make_table(lambda _, seconds: 1 if seconds > 3 else None)
    box = add(table, "endpoint", "words")
    table.desk.boxes[box].printed = ["serving", "Segmentation fault"]
    with pytest.raises(DeployError) as caught:
        watch(table.means, "words", Hosted(box, table.desk.url, 0.5), tmp_path / "log", ask=HEALTHY)
    assert caught.value.message == (
        "the container of 'words' ended with status 1\n  | serving\n  | Segmentation fault"
    )
    assert (tmp_path / "log").read_text() == "serving\nSegmentation fault\n"


def test_an_endpoint_that_somebody_stops_is_no_error(tmp_path: Path) -> None:
    table = make_table(lambda _, seconds: 143 if seconds > 3 else None)
    box = add(table, "endpoint", "words")
    watch(table.means, "words", Hosted(box, table.desk.url, 0.5), tmp_path / "log", ask=HEALTHY)


def test_too_little_memory_is_no_stop(tmp_path: Path) -> None:
    def program(box: Box, seconds: float) -> int | None:
        box.was_out_of_memory = True
        return 137 if seconds > 3 else None

    table = make_table(program)
    box = add(table, "endpoint", "words")
    with pytest.raises(DeployError) as caught:
        watch(table.means, "words", Hosted(box, table.desk.url, 0.5), tmp_path / "log", ask=HEALTHY)
    assert "more memory than it has" in caught.value.hint


def test_what_only_brings_files_is_not_listed_and_goes_with_its_endpoint() -> None:
    table = make_table(serves)
    add(table, "endpoint", "words")
    filler = add(table, "endpoint", "other", start=False)
    box = table.desk.boxes[filler]
    box.name, box.spec = "twinforge-endpoint-words.filling", next(iter(table.desk.made))
    assert [one.name for one in list_running(table.desk, ask=HEALTHY)] == ["words"]
    stop_running(table.means, ["words"], dry_run=False)
    assert table.desk.boxes == {}
    assert table.desk.volumes.keys() == {"twinforge-endpoint-other-volume"}
