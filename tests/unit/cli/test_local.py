from __future__ import annotations

import json
import re
import tarfile
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.fakes.desk import Box, Table, make_table
from twinforge.api import local as api
from twinforge.cli import local_asking, local_options
from twinforge.engine.engine import Engine
from twinforge.sagemaker.local import endpoint, running
from twinforge.sagemaker.local.invoke import Reply

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.unit.cli.conftest import Run
    from tests.unit.world import World
    from twinforge.sagemaker.local.desk import Desk

CPU, CUDA = "words/cpu-debian12-py3.11", "words/cu129-debian12-py3.11"
ENGINE = Engine("unix:///e.sock", ours=False, docker="docker", version="", buildx="", env={})


def works(box: Box, seconds: float) -> int | None:
    """Learn for a second; serve until told to end."""
    if box.spec.command == ("train",):
        box.files["/opt/ml/model/learned.json"] = b"{}"
        return 0 if seconds > 1 else None
    return 0 if box.was_told_to_end else None


@pytest.fixture
def table(world: World, monkeypatch: pytest.MonkeyPatch) -> Table:
    """A desk in memory, for the images of a project that is built."""
    made = make_table(works)

    @contextmanager
    def open_desk(engine: Engine) -> Iterator[Desk]:
        assert engine == ENGINE
        yield made.desk

    def patience(**_: float) -> object:
        return made.means.patience

    monkeypatch.setattr(api, "open_desk", open_desk)
    monkeypatch.setattr(api, "Patience", patience)
    monkeypatch.setattr(local_options, "find_engine", lambda _: ENGINE)
    monkeypatch.setattr(endpoint, "wait_for_ping", lambda *_, **__: 0.25)
    monkeypatch.setattr(running.list_running, "__kwdefaults__", {"ask": lambda _: ""})
    assert world.images is not None
    return made


@pytest.fixture
def built(run: Run, table: Table) -> Table:
    assert run("build", "words").status == 0
    return table


def test_a_job_prints_where_its_model_is(run: Run, world: World, built: Table) -> None:
    ran = run("local", "train", "words", "--instance", "ml.m5.large", "--name", "words-1")
    assert ran.status == 0, ran.err
    model = world.root / ".twinforge/local/words-1/output/model.tar.gz"
    assert ran.out == f"{model}\n"
    with tarfile.open(model) as tar:
        assert tar.getnames() == ["learned.json"]
    (spec,) = built.desk.made
    assert spec.image == world.images.tags["ml/words:1.0.0-cpu-debian12-py3.11"]
    assert "train words-1: done" in ran.err


def test_each_instance_type_gets_its_variant(run: Run, built: Table) -> None:
    train = ("local", "train", "words", "--json", "--instance")
    assert json.loads(run(*train, "ml.m5.large", "--name", "a").out)["variant"] == CPU
    assert json.loads(run(*train, "ml.p3.2xlarge", "--name", "b").out)["variant"] == CUDA
    insisting = run(*train, "ml.p3.2xlarge", "--name", "c", "--accelerator", "cpu")
    assert json.loads(insisting.out)["variant"] == CPU
    impossible = run(*train, "ml.p2.xlarge")
    assert impossible.status == 4
    assert "K80" in impossible.err
    assert run(*train, "ml.nonsense").status == 3
    assert built.desk.boxes == {}


def test_an_image_that_is_not_built_is_named_and_can_be_built_at_once(
    run: Run, table: Table
) -> None:
    train = ("local", "train", "words", "--instance", "ml.m5.large", "--name", "words-1")
    ran = run(*train)
    assert ran.status == 2
    assert f"{CPU} is not built: never built here" in ran.err
    assert f"hint: run `twinforge build {CPU}`, or add --build" in ran.err
    assert table.desk.made == []
    assert run(*train, "--build").status == 0


def test_a_job_that_fails_prints_json_and_what_the_service_would_say(
    run: Run, built: Table
) -> None:
    def program(box: Box, _: float) -> int:
        box.printed = ["loading"]
        box.files["/opt/ml/output/failure"] = b"no label"
        return 1

    built.desk.program = program
    ran = run("local", "train", "words", "--instance", "ml.m5.large", "--name", "x", "--json")
    assert ran.status == 1
    shown = json.loads(ran.out)
    assert (shown["status"], shown["model"]) == ("Failed", "")
    assert "reason: AlgorithmError: no label, exit code: 1" in ran.err


def test_a_dry_run_shows_what_would_run_without_secrets_and_runs_nothing(
    run: Run, table: Table
) -> None:
    ran = run(
        *("local", "train", "words", "--instance", "ml.g5.xlarge", "--dry-run"),
        *("--hyperparameter", "depth=4", "--env", "TOKEN=hunter2", "--name", "words-1"),
        *("--output", "models", "--checkpoints", "s3://bucket/kept"),
    )
    shown = json.loads(ran.out)
    assert (shown["variant"], shown["image"], shown["status"]) == (CUDA, "", "never built here")
    assert shown["job"]["hyperparameters"] == {"depth": "4"}
    assert shown["job"]["env"] == ["TOKEN"]
    assert (shown["output"], shown["checkpoints"]) == ("models", "s3://bucket/kept")
    assert "hunter2" not in ran.out + ran.err
    serve = run(
        *("local", "serve", "words", "--instance", "ml.m5.large", "--model", "m", "--dry-run"),
        *("--env", "TOKEN=hunter2"),
    )
    assert json.loads(serve.out)["endpoint"]["name"] == "words"
    batch = run(
        *("local", "transform", "words", "--instance", "ml.m5.large", "--model", "m"),
        *("--input", "i", "--output", "o", "--content-type", "text/csv", "--dry-run"),
    )
    assert json.loads(batch.out)["serving"]["env"] == ["SAGEMAKER_BATCH"]
    assert table.desk.made == []


def test_a_job_that_the_service_would_not_take_is_refused_before_it_runs(
    run: Run, built: Table
) -> None:
    train = ("local", "train", "words", "--instance", "ml.m5.large")
    assert "no_name" in run(*train, "--name", "no_name").err
    assert "1 to 2419200 s" in run(*train, "--max-runtime", "0").err
    assert "is no channel" in run(*train, "--channel", "data").err
    assert built.desk.made == []


def test_an_endpoint_is_served_asked_listed_and_stopped(
    run: Run, world: World, built: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    (world.root / "model").mkdir()
    (world.root / "model/learned.json").write_text("{}")
    serve = ("local", "serve", "words", "--instance", "ml.m5.large", "--model", "model")
    served = json.loads(run(*serve, "--detach", "--json").out)
    assert (served["endpoint"], served["variant"], served["url"]) == ("words", CPU, built.desk.url)
    taken = run(*serve, "--detach")
    assert taken.status == 2
    assert "has the endpoint words already" in taken.err
    assert run(*serve, "--detach", "--name", "second").out == f"{built.desk.url}\n"
    (first, second) = json.loads(run("local", "list", "--json").out)
    assert (first["name"], first["status"]) == ("words", "InService")
    assert second["name"] == "second"
    asked: list[tuple[str, bytes, str]] = []

    def invoke(url: str, body: bytes, *, content_type: str, **_: str) -> Reply:
        asked.append((url, body, content_type))
        return Reply(200, b"7\n", "text/csv")

    monkeypatch.setattr(local_asking, "invoke", invoke)
    row = str(world.root / "row.csv")
    shown = run("local", "predict", "words", row, "--content-type", "text/csv", "--json")
    assert json.loads(shown.out)["body"] == "7\n"
    assert asked == [(built.desk.url, b"1,2\n", "text/csv")]
    assert run("local", "stop", "words", "--dry-run").out == "words: would be stopped\n"
    assert run("local", "stop", "words").out == "words: stopped\n"
    assert run("local", "predict", "words", row, "--content-type", "text/csv").status == 2
    assert run("local", "stop", "--all").out == "second: stopped\n"
    assert run("local", "list").out == "NAME  KIND  VARIANT  LIKE  STATUS  URL\n"
    assert built.desk.volumes == {}


def test_without_detach_an_endpoint_is_stayed_with_until_it_ends(
    run: Run, world: World, built: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    (world.root / "model").mkdir()

    def interrupted(*_: object, **__: object) -> None:
        assert len(built.desk.boxes) == 1
        raise KeyboardInterrupt

    monkeypatch.setattr(api, "watch", interrupted)
    ran = run("local", "serve", "words", "--instance", "ml.m5.large", "--model", "model")
    assert ran.status == 130
    assert ran.out == f"{built.desk.url}\n"
    assert built.desk.boxes == {}


def test_the_log_of_what_runs_can_be_read(run: Run, world: World, built: Table) -> None:
    (world.root / "model").mkdir()
    serve = ("local", "serve", "words", "--instance", "ml.m5.large", "--model", "model")
    run(*serve, "--detach")
    (box,) = built.desk.boxes.values()
    box.printed = ["loading", "[31mready"]
    for more in ((), ("--follow",)):
        assert run("local", "logs", "words", *more).out == "loading\n[31mready\n"
    wrong = run("local", "logs", "word")
    assert (wrong.status, wrong.out) == (2, "")
    assert "nothing called 'word' runs here; did you mean 'words'?" in wrong.err


def test_jobs_of_the_same_second_have_names_of_their_own(run: Run, built: Table) -> None:
    assert built
    train = ("local", "train", "words", "--instance", "ml.m5.large", "--dry-run")
    name = json.loads(run(*train).out)["job"]["name"]
    assert re.fullmatch(r"words-\d{8}-\d{6}-\d{3}", name)


def test_stop_needs_a_name_or_all(run: Run, built: Table) -> None:
    assert built
    for arguments in ((), ("words", "--all")):
        assert "either names are given, or --all" in run("local", "stop", *arguments).err


def test_an_isolated_endpoint_has_no_port_of_this_machine(run: Run, built: Table) -> None:
    assert built
    ran = run(
        *("local", "serve", "words", "--instance", "ml.m5.large", "--model", "m"),
        *("--network-isolation", "--port", "8080"),
    )
    assert ran.status == 2
    assert "an isolated container has an address of its own" in ran.err


def test_nothing_is_started_to_look_at_what_runs(
    run: Run, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert table
    monkeypatch.setattr(local_options, "find_engine", lambda _: None)
    ran = run("local", "list")
    assert ran.status == 7
    assert "no engine answers, and so nothing runs" in ran.err


def test_a_misspelt_verb_is_no_verb(run: Run, table: Table) -> None:
    assert table
    assert run("local", "trian").status == 2
