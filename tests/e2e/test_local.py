"""SageMaker on the desk: trained on a GPU's image, served by a CPU's, through the command line."""

from __future__ import annotations

import json
import os
import signal
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.workbench import docker, fork, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.workbench import Project

pytestmark = pytest.mark.engine

GPU, CPU = "ml.p3.2xlarge", "ml.m4.xlarge"
CUDA_ID, CPU_ID = "tiny/cu129-py3.11-debian12", "tiny/cpu-py3.11-debian12"


@pytest.fixture(scope="module")
def built(locked: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """The little project with both of its images."""
    project = fork(locked, tmp_path_factory.mktemp("local") / "project")
    project.must("render")
    project.must("build", "tiny")
    yield project
    project.remove_images()


@pytest.fixture
def desk(built: Project) -> Iterator[Project]:
    """The project; what it runs has its own name in front, and is gone afterwards."""
    yield built
    assert running(built) == []


def running(project: Project) -> list[str]:
    """The containers and volumes of a project's endpoints and jobs."""
    kinds = ("container", "ls", "--all", "--format", "{{.Names}}"), ("volume", "ls", "--quiet")
    found = [name for kind in kinds for name in docker(*kind).split()]
    return [name for name in found if project.prefix in name]


def test_a_model_of_the_gpu_image_is_served_by_the_cpu_image(desk: Project) -> None:
    name = desk.prefix
    trained = desk.json(
        *("local", "train", "tiny", "--instance", GPU, "--name", f"{name}-job"),
        *("--channel", "training=smoke/training"),
    )
    assert (trained["variant"], trained["status"]) == (CUDA_ID, "Completed")
    model = Path(trained["model"])
    assert model == desk.root / f".twinforge/local/{name}-job/output/model.tar.gz"
    assert model.stat().st_uid == os.getuid()
    with tarfile.open(model) as tar:
        assert tar.getnames() == ["model.json"]
    served = desk.json(
        *("local", "serve", "tiny", "--instance", CPU, "--model", str(model)),
        *("--name", name, "--detach"),
    )
    assert (served["variant"], served["status"]) == (CPU_ID, "InService")
    (listed,) = [one for one in desk.json("local", "list") if one["name"] == name]
    assert (listed["status"], listed["url"]) == ("InService", served["url"])
    ask = ("local", "predict", name, "smoke/row.csv", "--content-type", "text/csv")
    assert json.loads(desk.must(*ask).out) == {"mean": 3.0}
    batch = desk.json(
        *("local", "transform", "tiny", "--instance", CPU, "--model", str(model)),
        *("--name", f"{name}-batch", "--input", "smoke/row.csv", "--output", "answers"),
        *("--content-type", "text/csv", "--assemble", "Line"),
    )
    assert batch["outputs"] == ["answers/row.csv.out"]
    assert desk.read("answers/row.csv.out") == '{"mean": 3.0}\n'
    assert desk.must("local", "stop", name).out == f"{name}: stopped\n"
    gone = desk.run(*ask)
    assert gone.status == 2
    assert f"no endpoint '{name}' runs here" in gone.err


def test_a_job_that_fails_says_what_the_service_would_say(desk: Project) -> None:
    failed = desk.run("local", "train", "tiny", "--instance", CPU, "--name", f"{desk.prefix}-bad")
    assert failed.status == 1
    assert failed.out == ""
    assert "is Failed (Failed)\nreason: AlgorithmError: [Errno 2] No such file" in failed.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "kill"])
def test_ctrl_c_leaves_nothing_of_an_endpoint(
    desk: Project, tmp_path: Path, number: signal.Signals
) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model/model.json").write_text("{}")
    serve = ("local", "serve", "tiny", "--instance", CPU, "--model", str(tmp_path / "model"))
    with desk.running(*serve, "--name", desk.prefix) as child:
        assert child.stdout is not None
        assert child.stdout.readline().startswith("http://127.0.0.1:")
        assert running(desk) != []
        child.send_signal(number)
        assert child.wait(60) == 130
    assert running(desk) == []


def test_ctrl_c_leaves_nothing_of_a_job(desk: Project) -> None:
    lasting = "    import time; time.sleep(600)\n    try:"
    desk.edit("program/train", "    try:", lasting)
    train = ("local", "train", "tiny", "--instance", CPU, "--name", f"{desk.prefix}-long")
    stale = desk.run(*train)
    assert stale.status == 2
    assert f"{CPU_ID} is not built: changed: program" in stale.err
    with desk.running(*train, "--build") as child:
        wait_until(lambda: running(desk) != [], "no container was started")
        child.send_signal(signal.SIGINT)
        assert child.wait(60) == 130
    assert running(desk) == []
    desk.edit("program/train", lasting, "    try:")
