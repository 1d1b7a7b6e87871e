from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Run

P2 = ("--cuda", "12.4", "--instance", "ml.p2.xlarge")


@pytest.mark.parametrize(
    ("arguments", "status", "verdict"),
    [
        (("--cuda", "11.8", "--instance", "ml.p2.xlarge"), 0, "works"),
        (("--cuda", "12.4", "--instance", "ml.g4dn.xlarge"), 0, "conditional"),
        (("--cuda", "99.1", "--instance", "ml.g5.xlarge"), 3, "unknown"),
        (P2, 4, "impossible"),
    ],
)
def test_the_verdict_is_the_exit_status(
    run: Run, arguments: tuple[str, ...], status: int, verdict: str
) -> None:
    told = run("compat", "explain", *arguments)
    assert (told.status, told.out.splitlines()[0]) == (status, verdict)
    printed = run("compat", "explain", *arguments, "--json")
    assert (printed.status, json.loads(printed.out)["verdict"]) == (status, verdict)


def test_a_conflict_is_json_with_facts_sources_and_what_would_work(run: Run) -> None:
    answer = json.loads(run("compat", "explain", *P2, "--json").out)
    assert [found["fact"] for found in answer["conflict"]] == [
        "p2 has the NVIDIA Tesla K80, of compute capability 3.7",
        "CUDA 12.4 knows compute capabilities 5.0 to 9.0; CUDA 12.0 dropped the older ones",
    ]
    assert all(found["sources"] for found in answer["conflict"])
    assert answer["nearest"][0]["changes"] == ["CUDA 11.8 instead of 12.4"]
    assert answer["nearest"][0]["with"]["cuda"] == "11.8"
    assert answer["conditions"] == []


def test_all_that_can_be_asked_is_asked(run: Run) -> None:
    ran = run(
        *("compat", "explain", "--framework", "torch==2.6", "--framework", "xgboost>=3"),
        *("--cuda", "12.4", "--cudnn", "9.1", "--python", "3.12", "--base", "ubuntu:22.04"),
        *("--instance", "ml.g4dn.xlarge", "--instance", "ml.g5.xlarge", "--arch", "amd64"),
        *("--ami", "al2-ami-sagemaker-inference-gpu-2", "--device", "cuda", "--json"),
    )
    answer = json.loads(ran.out)
    assert (ran.status, answer["verdict"]) == (0, "conditional")
    found = answer["with"]
    assert [one["framework"] for one in found["frameworks"]] == ["torch", "xgboost"]
    assert (found["python"], found["base"], found["arch"]) == ("3.12", "ubuntu:22.04", "amd64")
    assert set(found["amis"].values()) == {"al2-ami-sagemaker-inference-gpu-2"}


def test_the_answer_in_words_has_the_sources_below_each_fact(run: Run) -> None:
    lines = run("compat", "explain", *P2).out.splitlines()
    assert lines[1] == "  asked for: ml.p2.xlarge, CUDA 12.4"
    assert lines[2] == "  but p2 has the NVIDIA Tesla K80, of compute capability 3.7"
    assert lines[3].startswith("      https://")
    assert "  CUDA 11.8 instead of 12.4" in lines


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "nothing is asked"),
        (("--framework", "torch=2.6"), "'torch=2.6' is no requirement"),
        (("--framework", "torch; python_version < '3'"), "has a URL or a marker"),
        (("--device", "cpu", "--cuda", "12.4"), "an image for the CPU has no CUDA"),
        (("--use", "hostin", "--cuda", "12.4"), "'hostin' is not one of"),
    ],
)
def test_what_can_not_be_asked_is_wrong_usage(
    run: Run, arguments: tuple[str, ...], message: str
) -> None:
    ran = run("compat", "explain", *arguments)
    assert ran.status == 2
    assert message in ran.err


def test_what_works_is_listed_the_newest_first(run: Run) -> None:
    asked = (
        "--instance",
        "ml.p2.xlarge",
        "--instance",
        "ml.g5.xlarge",
        "--framework",
        "tensorflow",
    )
    found = json.loads(run("compat", "find", *asked, "--limit", "4", "--json").out)
    assert len(found) == 4
    # github.com/tensorflow/docs, tested builds: 2.14.0 is the last with CUDA 11.8
    assert found[0]["frameworks"][0]["version"] == "2.14.1"
    assert (found[0]["cuda"], found[0]["verdict"]) == ("11.8", "works")
    assert found[0]["pythons"] == ["3.11", "3.10", "3.9"]
    lines = run("compat", "find", *asked, "--limit", "4").out.splitlines()
    assert lines[0].split() == ["FRAMEWORK", "CUDA", "CUDNN", "PYTHON", "GLIBC", "VERDICT"]
    assert len(lines) == 5


def test_conditions_of_what_works_stand_below_the_table(run: Run) -> None:
    ran = run("compat", "find", "--instance", "ml.g4dn.xlarge", "--cuda", "12.9")
    assert "conditional (1)" in ran.out
    assert "(1) InferenceAmiVersion 'al2-ami-sagemaker-inference-gpu-2'" in ran.out


def test_where_nothing_works_it_is_impossible(run: Run) -> None:
    ran = run("compat", "find", *P2)
    assert (ran.status, ran.out) == (4, "")
    assert "compat explain" in ran.err
    assert json.loads(run("compat", "find", *P2, "--json").out) == []
