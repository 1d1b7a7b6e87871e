from __future__ import annotations

import pytest

from twinforge.compat.facts import Dotted
from twinforge.compat.glibc import manylinux_glibc
from twinforge.compat.startup import forward_package, image_gate, switch_fact
from twinforge.compat.tables import load_system_table

# nvidia/container-images/cuda dist/11.8.0/ubuntu2204/base/Dockerfile:
# NVIDIA_REQUIRE_CUDA "cuda>=11.8 brand=tesla,driver>=470,driver<471 ..."


@pytest.mark.parametrize(
    ("cuda", "driver", "brings", "starts"),
    [
        ("11.8.0", "470", "11.4", True),
        ("12.8.1", "470", "11.4", True),
        ("12.9.1", "470", "11.4", False),
        ("13.0.2", "470", "11.4", False),
        ("12.9.1", "535", "12.2", True),
        ("13.0.2", "580", "13.0", True),
        ("12.4.1", "460.32.03", "11.2", False),
        ("12.4.1", "550.54.15", None, False),
        ("12.4.1", "535.54.03", None, True),
    ],
)
def test_an_image_starts_where_its_demand_is_met(
    cuda: str, driver: str, brings: str | None, *, starts: bool
) -> None:
    gate = image_gate(cuda, "ubuntu-22.04")
    assert gate is not None
    assert gate.lets_in(Dotted.parse(driver), Dotted.parse(brings) if brings else None) is starts


def test_a_demand_for_any_driver_from_one_on_is_read_too() -> None:
    # dist/11.3.0/ubuntu2004/base: "cuda>=11.3 brand=tesla,driver>=418,driver<419 driver>=450"
    gate = image_gate("11.3.0", "ubuntu-20.04")
    assert gate is not None
    assert gate.lets_in(Dotted.parse("450.51.06"), None)
    assert gate.lets_in(Dotted.parse("418.226.00"), None)
    assert not gate.lets_in(Dotted.parse("440.33"), None)


def test_there_is_no_demand_without_data() -> None:
    assert image_gate("12.4.1", "ubuntu-16.04") is None
    assert image_gate("99.0", "ubuntu-22.04") is None


def test_forward_compatibility_begins_with_cuda_10() -> None:
    found = forward_package("12.9.1")
    assert found is not None
    assert found.name == "cuda-compat-12-9"
    assert found.fact.sources == (
        "https://docs.nvidia.com/deploy/cuda-compatibility/forward-compatibility.html",
    )
    assert forward_package("9.2") is None
    assert forward_package("99.0") is None
    assert forward_package("new") is None


def test_the_switch_that_turns_demands_off_is_not_verified() -> None:
    name, fact = switch_fact()
    assert name == "NVIDIA_DISABLE_REQUIRE"
    assert not fact.verified


@pytest.mark.parametrize(
    # https://github.com/pypa/manylinux, README; PEP 600
    ("tag", "glibc"),
    [
        ("manylinux1_x86_64", "2.5"),
        ("manylinux2010_x86_64", "2.12"),
        ("manylinux2014_aarch64", "2.17"),
        ("manylinux_2_28_x86_64", "2.28"),
        ("manylinux_2_31_aarch64", "2.31"),
    ],
)
def test_a_platform_tag_promises_a_glibc(tag: str, glibc: str) -> None:
    found = manylinux_glibc(tag)
    assert found is not None
    assert found[0] == Dotted.parse(glibc)
    assert found[1].sources


@pytest.mark.parametrize("tag", ["musllinux_1_2_x86_64", "win_amd64", "linux_x86_64", "any"])
def test_other_platform_tags_promise_none(tag: str) -> None:
    assert manylinux_glibc(tag) is None


@pytest.mark.parametrize(
    # distro-info-data 0.58: ubuntu.csv, debian.csv, column eol
    ("system", "day"),
    [
        ("ubuntu-16.04", "2021-04-30"),
        ("ubuntu-22.04", "2027-06-01"),
        ("debian-11", "2024-08-14"),
        ("debian-12", "2026-07-11"),
    ],
)
def test_a_system_has_the_end_of_life_of_its_distribution(system: str, day: str) -> None:
    end = load_system_table().systems[system].end_of_life
    assert end is not None
    assert end.isoformat() == day


def test_a_system_without_a_published_end_has_none() -> None:
    assert load_system_table().systems["debian-14"].end_of_life is None
