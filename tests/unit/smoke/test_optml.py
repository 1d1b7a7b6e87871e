from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from twinforge.errors import SmokeError
from twinforge.model.recipe import TrainSmoke
from twinforge.smoke.optml import write_broken_job, write_job

if TYPE_CHECKING:
    from pathlib import Path

TRAIN = TrainSmoke({"training": "data/training", "one": "data/one.csv"}, {"max_depth": "4"})


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    (root / "data/training/part").mkdir(parents=True)
    (root / "data/training/part/digits.csv").write_text("1,2\n")
    (root / "data/one.csv").write_text("3\n")
    return root


@pytest.fixture
def opt_ml(tmp_path: Path) -> Path:
    folder = tmp_path / "ml"
    folder.mkdir()
    return folder


def read(opt_ml: Path, name: str) -> object:
    document: object = json.loads((opt_ml / "input/config" / name).read_text())
    return document


def test_channels_are_folders_with_the_projects_files(root: Path, opt_ml: Path) -> None:
    write_job(opt_ml, TRAIN, root)
    assert (opt_ml / "input/data/training/part/digits.csv").read_text() == "1,2\n"
    assert (opt_ml / "input/data/one/one.csv").read_text() == "3\n"


def test_the_configuration_is_what_sagemaker_writes(root: Path, opt_ml: Path) -> None:
    write_job(opt_ml, TRAIN, root)
    channel = {
        "TrainingInputMode": "File",
        "S3DistributionType": "FullyReplicated",
        "RecordWrapperType": "None",
    }
    assert read(opt_ml, "hyperparameters.json") == {"max_depth": "4"}
    assert read(opt_ml, "inputdataconfig.json") == {"training": channel, "one": channel}
    assert read(opt_ml, "resourceconfig.json") == {
        "current_host": "algo-1",
        "current_instance_type": "ml.m5.large",
        "current_group_name": "homogeneousCluster",
        "hosts": ["algo-1"],
        "instance_groups": [
            {
                "instance_group_name": "homogeneousCluster",
                "instance_type": "ml.m5.large",
                "hosts": ["algo-1"],
            }
        ],
        "network_interface_name": "eth0",
    }


def test_the_output_is_there_and_empty(root: Path, opt_ml: Path) -> None:
    write_job(opt_ml, TRAIN, root)
    assert [path.name for path in (opt_ml / "output").rglob("*")] == ["data"]


def test_a_broken_job_has_no_channels_and_a_hyperparameter_that_nobody_knows(opt_ml: Path) -> None:
    write_broken_job(opt_ml, TRAIN)
    assert read(opt_ml, "hyperparameters.json") == {
        "max_depth": "4",
        "twinforge_no_such_hyperparameter": "1",
    }
    assert read(opt_ml, "inputdataconfig.json") == {}
    assert list((opt_ml / "input/data").iterdir()) == []


def test_a_channel_without_files_is_named(root: Path, opt_ml: Path) -> None:
    missing = TrainSmoke({"training": "data/absent"}, {})
    with pytest.raises(SmokeError, match="the files of the channel 'training' can't be read"):
        write_job(opt_ml, missing, root)
