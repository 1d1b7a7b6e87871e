from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from twinforge.runtime.job import JobError, decode, read_job, read_settings_of_job
from twinforge.runtime.metrics import Metrics, check_metrics
from twinforge.runtime.script import Script, missing_packages
from twinforge.runtime.toolkit import script_arguments, script_environment

if TYPE_CHECKING:
    from pathlib import Path

    from twinforge.runtime.job import Job


@dataclass
class Chosen:
    depth: int = 6
    rate: float = 0.3
    name: str = "adam"
    shuffle: bool = False
    layers: list[int] = field(default_factory=list)
    anything: Any = None


def job_of(root: Path, **files: object) -> Job:
    config = root / "input/config"
    config.mkdir(parents=True, exist_ok=True)
    for name, document in files.items():
        (config / f"{name}.json").write_text(json.dumps(document))
    return read_job(root, {"TRAINING_JOB_NAME": "job-1"}, cores=2, gpus=1)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("128", 128),
        ("0.1", 0.1),
        ("true", True),
        ('"train.py"', "train.py"),
        ("adam", "adam"),
        ("[1, 2]", [1, 2]),
        ("NaN", "NaN"),
        ("", ""),
        ("[" * 100_000, "[" * 100_000),
    ],
    ids=lambda value: str(value)[:20],
)
def test_json_is_decoded_and_all_else_is_text(text: str, value: object) -> None:
    assert decode(text) == value


@pytest.mark.parametrize(
    ("given", "chosen"),
    [
        ({}, Chosen()),
        ({"depth": "3", "rate": "1"}, Chosen(depth=3, rate=1.0)),
        ({"depth": '"3"', "rate": '"1e-3"'}, Chosen(depth=3, rate=0.001)),
        ({"rate": "inf"}, Chosen(rate=float("inf"))),
        ({"name": "1.10"}, Chosen(name="1.10")),
        ({"name": '"1.10"'}, Chosen(name="1.10")),
        ({"shuffle": "True"}, Chosen(shuffle=True)),
        ({"shuffle": '"false"'}, Chosen(shuffle=False)),
        ({"layers": "[1, 2]", "anything": "{}"}, Chosen(layers=[1, 2], anything={})),
        ({"depth": "3", "sagemaker_program": '"x.py"'}, Chosen(depth=3)),
    ],
)
def test_a_dataclass_says_the_types_of_hyperparameters(
    tmp_path: Path, given: dict[str, str], chosen: Chosen
) -> None:
    assert job_of(tmp_path, hyperparameters=given).parse(Chosen) == chosen


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"depth": "3.5"}, "hyperparameter 'depth' is '3.5', not int"),
        ({"depth": "true"}, "hyperparameter 'depth' is 'true', not int"),
        ({"rate": "fast"}, "hyperparameter 'rate' is 'fast', not float"),
        ({"shuffle": "1"}, "hyperparameter 'shuffle' is '1', not bool"),
        ({"layers": "1"}, "hyperparameter 'layers' is '1', not list[int]"),
        ({"dephth": "1"}, "unknown hyperparameter 'dephth' (known: depth, rate, name, shuffle, "),
    ],
)
def test_a_hyperparameter_that_does_not_fit_is_named(
    tmp_path: Path, given: dict[str, str], problem: str
) -> None:
    with pytest.raises(JobError) as caught:
        job_of(tmp_path, hyperparameters=given).parse(Chosen)
    assert problem in str(caught.value)


def test_all_problems_of_hyperparameters_are_said_at_once(tmp_path: Path) -> None:
    @dataclass
    class Needed:
        depth: int
        rate: float

    with pytest.raises(JobError) as caught:
        job_of(tmp_path, hyperparameters={"rate": "x", "more": "1"}).parse(Needed)
    assert str(caught.value).count(";") == 2
    assert "the hyperparameter 'depth' is missing" in str(caught.value)


def test_a_job_without_files_is_one_with_nothing_in_it(tmp_path: Path) -> None:
    job = read_job(tmp_path, {}, cores=2, gpus=0)
    assert (job.name, job.hyperparameters, job.channels) == ("", {}, {})
    assert (job.resources.current_host, job.resources.rank) == ("algo-1", 0)
    with pytest.raises(JobError, match=r"the channel 'training' is missing \(given: none\)"):
        job.channel("training")


def test_channels_say_how_their_data_comes(tmp_path: Path) -> None:
    given = {
        "training": {"ContentType": "text/csv", "TrainingInputMode": "FastFile"},
        "pipe": {"TrainingInputMode": "Pipe", "RecordWrapperType": "RecordIO"},
    }
    job = job_of(tmp_path, inputdataconfig=given)
    training, pipe = job.channel("training"), job.channel("pipe")
    assert (training.mode, training.content_type) == ("FastFile", "text/csv")
    assert (pipe.mode, pipe.record_wrapper) == ("Pipe", "RecordIO")
    with pytest.raises(JobError, match="has no file that matches"):
        training.files("*.csv")
    with pytest.raises(JobError, match="has the input mode FastFile, not Pipe"):
        training.open_pipe()
    with pytest.raises(JobError, match="has the input mode Pipe, and no files"):
        pipe.files()
    with pytest.raises(JobError, match=r"pipe_3' did not appear within 0 s"):
        pipe.open_pipe(3, within_s=0)


def test_files_of_a_channel_are_sorted_and_below_its_folder(tmp_path: Path) -> None:
    job = job_of(tmp_path, inputdataconfig={"training": {}})
    folder = tmp_path / "input/data/training"
    (folder / "part").mkdir(parents=True)
    for name in ("b.csv", "a.csv", "part/c.csv", "other.txt"):
        (folder / name).touch()
    found = [path.relative_to(folder).as_posix() for path in job.channel("training").files("*.csv")]
    assert found == ["a.csv", "b.csv", "part/c.csv"]


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("hyperparameters", "[]", "is not a JSON object"),
        ("hyperparameters", "{", "can't be read as JSON"),
        ("inputdataconfig", '{"training": 1}', "is not an object"),
        ("inputdataconfig", '{"training": {"TrainingInputMode": "Fast"}}', "input mode 'Fast'"),
    ],
)
def test_a_file_that_is_not_as_it_should_be_is_named(
    tmp_path: Path, name: str, text: str, problem: str
) -> None:
    config = tmp_path / "input/config"
    config.mkdir(parents=True)
    (config / f"{name}.json").write_text(text)
    with pytest.raises(JobError, match=problem):
        read_job(tmp_path, {}, cores=1, gpus=0)


def test_hosts_have_a_rank(tmp_path: Path) -> None:
    hosts = {"current_host": "algo-2", "hosts": ["algo-1", "algo-2"]}
    resources = job_of(tmp_path, resourceconfig=hosts).resources
    assert (resources.rank, resources.hosts) == (1, ("algo-1", "algo-2"))
    assert (resources.cores, resources.gpus) == (2, 1)


def test_sagemakers_own_hyperparameters_are_kept_apart(tmp_path: Path) -> None:
    given = {"sagemaker_program": '"x.py"', "sagemaker_region": "eu-west-1", "depth": "3"}
    assert job_of(tmp_path, hyperparameters=given).hyperparameters == {"depth": 3}
    assert read_settings_of_job(tmp_path) == {
        "sagemaker_program": "x.py",
        "sagemaker_region": "eu-west-1",
    }


def test_all_that_begins_as_sagemakers_own_hyperparameters_do_is_its_own(tmp_path: Path) -> None:
    given = {"sagemaker_mpi_enabled": "true", "sagemaker_x": 1, "_tuning_objective_metric": '"m"'}
    job = job_of(tmp_path, hyperparameters={**given, "depth": "3"})
    assert job.parse(Chosen).depth == 3
    assert read_settings_of_job(tmp_path) == {
        "_tuning_objective_metric": "m",
        "sagemaker_mpi_enabled": "True",
        "sagemaker_x": "1",
    }


def test_a_name_with_dashes_is_for_the_field_with_underscores(tmp_path: Path) -> None:
    @dataclass
    class Rates:
        learning_rate: float

    assert job_of(tmp_path / "1", hyperparameters={"learning-rate": "0.5"}).parse(Rates) == Rates(
        0.5
    )
    job = job_of(tmp_path / "2", hyperparameters={"learning-rate": "1", "learning_rate": "2"})
    with pytest.raises(JobError, match=r"'learning_rate' is given twice, once as 'learning_rate'"):
        job.parse(Rates)


def test_a_script_gets_what_sagemakers_toolkit_would_give_it(tmp_path: Path) -> None:
    # What sagemaker-training 5.1.4 makes of the same values.
    given = {
        "n": "1",
        "depth": "3",
        "layers": '["a", 2]',
        "name": "a b",
        "on": "true",
        "none": "null",
        "map": '{"b": 1, "a": "x"}',
    }
    groups = [{"instance_group_name": "g", "instance_type": "ml.m5.large", "hosts": ["algo-1"]}]
    hosts = {"current_host": "algo-1", "hosts": ["algo-1"], "current_group_name": "g"}
    job = job_of(
        tmp_path,
        hyperparameters={**given, "sagemaker_mpi_enabled": "true"},
        inputdataconfig={"my-data": {"TrainingInputMode": "File"}},
        resourceconfig={**hosts, "instance_groups": groups},
    )
    arguments = [
        *("--depth", "3", "--layers", "['a', 2]", "--map", "a=x,b=1"),
        *("-n", "1", "--name", "a b", "--none", "", "--on", "True"),
    ]
    assert script_arguments(job.hyperparameters) == arguments
    variables = script_environment(job, tmp_path / "code", "src/entry.py")
    expected = {
        "SM_MODEL_DIR": str(tmp_path / "model"),
        "SM_CHANNEL_MY-DATA": str(tmp_path / "input/data/my-data"),
        "SM_CHANNELS": '["my-data"]',
        "SM_HP_DEPTH": "3",
        "SM_HP_LAYERS": '["a",2]',
        "SM_HP_MAP": '{"a":"x","b":1}',
        "SM_HP_NONE": "",
        "SM_HP_ON": "true",
        "SM_INPUT_DATA_CONFIG": '{"my-data":{"TrainingInputMode":"File"}}',
        "SM_CURRENT_INSTANCE_GROUP": "g",
        "SM_CURRENT_INSTANCE_GROUP_HOSTS": '["algo-1"]',
        "SM_FRAMEWORK_PARAMS": '{"sagemaker_mpi_enabled":true}',
        "SM_INSTANCE_GROUPS": '["g"]',
        "SM_IS_HETERO": "false",
        "SM_LOG_LEVEL": "20",
        "SM_MODULE_NAME": "src/entry",
        "SM_USER_ENTRY_POINT": "src/entry.py",
    }
    assert {name: variables[name] for name in expected} == expected
    assert json.loads(variables["SM_USER_ARGS"]) == arguments
    assert json.loads(variables["SM_RESOURCE_CONFIG"])["hosts"] == ["algo-1"]
    whole = json.loads(variables["SM_TRAINING_ENV"])
    assert whole["hyperparameters"] == job.hyperparameters
    assert whole["channel_input_dirs"] == {"my-data": str(tmp_path / "input/data/my-data")}


def test_packages_that_are_not_there_are_named(tmp_path: Path) -> None:
    path = tmp_path / "requirements.txt"
    path.write_text(
        "# all\n-r other.txt\npytest>=1\n\nNo-Such.Package[x]==1 ; python_version>'3'\n"
    )
    assert missing_packages(path) == ("No-Such.Package",)


@pytest.mark.parametrize(
    ("source", "is_trainer"),
    [
        ("def train(job): ...", True),
        ("def train(args): ...\nif __name__ == '__main__':\n    train(1)", False),
        ("import os", False),
        ("def other(): ...", False),
        ("def train(", False),
        ("import logging\nlogging.basicConfig()\ndef train(job, more=1): ...", True),
        ("def train(): ...", False),
        ("def train(model, data): ...", False),
        ("def train(args): ...\ntrain(1)", False),
        ("def train(args): ...\ndef main():\n    train(1)\nfor _ in range(3): main()", False),
        ("def train(args): ...\ndef unused():\n    train(1)", True),
    ],
)
def test_an_entry_point_that_runs_by_itself_is_no_trainer(
    tmp_path: Path, source: str, *, is_trainer: bool
) -> None:
    (tmp_path / "entry.py").write_text(source)
    assert Script("entry.py", tmp_path).is_trainer is is_trainer


def test_metrics_are_found_across_pieces_of_a_log_and_counted() -> None:
    metrics = Metrics()
    metrics.feed("loss=9;\n")
    metrics.declare({"loss": r"loss=([0-9.]+);", "rmse": "rmse=(.*);"})
    for piece in ("step 1 lo", "ss=1.5;\rloss=2.5; loss=3.5;\n", "loss=4.5;"):
        metrics.feed(piece)
    assert metrics.report() == (("loss", 4, "4.5"), ("rmse", 0, ""))


def test_a_metric_whose_group_has_no_part_in_it_is_not_found() -> None:
    metrics = Metrics()
    metrics.declare({"loss": r"loss=([0-9]+)|end"})
    metrics.feed("loss=1\nend\n")
    assert metrics.report() == (("loss", 1, "1"),)


def test_a_metric_that_never_ends_is_given_up_and_the_others_are_found() -> None:
    metrics = Metrics()
    metrics.declare({"bad": r"(?:x+)+(y)", "loss": r"loss=([0-9]+)"})
    metrics.feed(f"{'x' * 60}\nloss=1\n")
    metrics.feed("loss=2\nxy\n")
    assert metrics.report() == (("bad", 0, ""), ("loss", 2, "2"))
    assert metrics.too_slow() == ("bad",)


@pytest.mark.parametrize(
    ("declared", "problem"),
    [
        (["loss"], "is not a mapping"),
        ({"loss": 1}, "is not a text with a regular expression"),
        ({"loss": "("}, "has a regular expression that is wrong"),
        ({"loss": "loss=.*"}, "has 0 groups"),
        ({"loss": "(a)(b)"}, "has 2 groups"),
        ({"loss": f"({'x' * 500})"}, "is longer than SageMaker takes"),
        ({str(number): "(x)" for number in range(41)}, "has 41 metrics, and a job takes 40"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_metrics_that_sagemaker_would_refuse_are_refused(declared: object, problem: str) -> None:
    with pytest.raises(JobError, match=problem):
        check_metrics(declared)
