from __future__ import annotations

import pytest
from packaging.version import Version

from twinforge.compat.facts import Dotted
from twinforge.compat.framework_tables import (
    load_framework_table,
    load_names_table,
    parse_framework_table,
)
from twinforge.compat.frameworks import (
    FrameworkBuild,
    framework_builds,
    framework_names,
    framework_of,
)
from twinforge.errors import TwinforgeError, UnknownError

SMALL = """
collected: "2026-11-22"
framework: torch
sources: {page: a page}
indexes:
  own: {url: "https://wheels.example.org/cu121", source: [page], verified: true}
builds:
  - {versions: ["2.1"], device: cuda, package: torch, index: own, local: cu121, cuda: "12.1",
     source: [page], verified: true}
"""


def one(framework: str, requirement: str, device: str = "cuda") -> FrameworkBuild:
    found = [
        build
        for build in framework_builds(framework)
        if build.requirement == requirement and build.device == device
    ]
    assert len(found) == 1, found
    return found[0]


def test_the_frameworks_of_the_issue_are_known() -> None:
    assert framework_names() == (
        *("tensorflow", "torch", "onnxruntime", "jax", "xgboost", "lightgbm", "mxnet"),
    )


def test_the_data_is_at_least_as_complete_as_that_of_the_peers() -> None:
    torch = {(b.version, b.device, b.index, b.local) for b in framework_builds("torch")}
    assert len(torch) >= 96
    assert len({b.version for b in framework_builds("tensorflow") if b.device == "cuda"}) >= 18


@pytest.mark.parametrize(
    ("name", "framework"),
    [("pytorch", "torch"), ("TensorFlow", "tensorflow"), ("onnxruntime-gpu", "onnxruntime")],
)
def test_a_framework_is_found_by_its_other_names_and_its_packages(
    name: str, framework: str
) -> None:
    assert framework_builds(name) is framework_builds(framework)


def test_an_unknown_framework_is_told_with_what_was_meant() -> None:
    with pytest.raises(UnknownError, match="'tensorflo'") as error:
        framework_builds("tensorflo")
    assert error.value.hint == "did you mean 'tensorflow'?"


def test_a_package_belongs_to_one_framework() -> None:
    assert framework_of("tensorflow-cpu") == "tensorflow"
    assert framework_of("mxnet-cu102") == "mxnet"
    assert framework_of("numpy") is None


@pytest.mark.parametrize("framework", framework_names())
def test_the_index_of_names_has_the_packages_of_the_file(framework: str) -> None:
    listed = set(load_names_table().frameworks[framework].packages)
    assert {build.package for build in load_framework_table(framework).builds} == listed


@pytest.mark.parametrize("framework", framework_names())
def test_builds_are_in_the_order_of_their_versions_and_cite_what_they_say(framework: str) -> None:
    builds = framework_builds(framework)
    versions = [Version(build.version) for build in builds]
    assert versions == sorted(versions)
    for build in builds:
        assert all(fact.sources for fact in build.facts)
        for name in ("cuda", "cudnn", "glibc", "ptx", "compute_capabilities", "cpu_archs"):
            assert (name in build.about) == bool(getattr(build, name)), (build, name)
        assert ("pythons" in build.about) == bool(build.pythons)


def test_tensorflow_with_cuda_brings_nvidias_wheels_by_an_extra_from_2_14_on() -> None:
    assert one("tensorflow", "tensorflow[and-cuda]==2.14.0").extras == ("and-cuda",)
    extras = {b.version for b in framework_builds("tensorflow") if b.extras}
    assert min(map(Version, extras)) == Version("2.14.0")


def test_compute_xy_of_tensorflow_counts_as_binary_code_and_as_ptx() -> None:
    build = one("tensorflow", "tensorflow[and-cuda]==2.20.0")
    assert [c.text for c in build.compute_capabilities] == ["6.0", "7.0", "8.0", "8.9", "9.0"]
    assert build.ptx == Dotted.parse("9.0")


def test_the_last_torch_of_the_default_index_with_code_for_k80_is_2_0_1() -> None:
    k80 = Dotted.parse("3.7")
    of_index = [b for b in framework_builds("torch") if not b.index]
    assert [b.version for b in of_index if k80 in b.compute_capabilities][-1] == "2.0.1"


def test_torch_of_an_index_has_a_local_version_and_that_index() -> None:
    build = one("torch", "torch==2.5.1+cu121")
    assert build.index.endswith("/whl/cu121")
    assert not build.find_links
    assert str(build.cudnn) == "9.1.0.70"


def test_a_label_that_promises_nothing_is_not_a_verified_glibc() -> None:
    fact = one("torch", "torch==2.0.1").about["glibc"]
    assert not fact.verified
    assert "CentOS 7" in fact.sources[0]


def test_what_no_source_gives_is_unknown() -> None:
    build = one("torch", "torch==1.3.1")
    assert build.cuda is None
    assert build.compute_capabilities == ()
    assert not build.about["device"].verified


def test_a_range_of_pythons_is_spelled_out_and_kept() -> None:
    build = one("xgboost", "xgboost==3.4.1")
    assert build.requires_python == ">=3.12"
    assert build.pythons[0] == "3.12"
    assert build.about["pythons"].text == "xgboost 3.4.1 asks for Python >=3.12"


def test_on_an_old_glibc_xgboost_2_1_has_no_cuda() -> None:
    assert str(one("xgboost", "xgboost==2.1.0", "cpu").glibc) == "2.17"
    assert str(one("xgboost", "xgboost==2.1.0").glibc) == "2.28"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("index: own", "index: other", "no index is called other"),
        ("device: cuda", "device: cpu", "a build for the CPU has no CUDA"),
        ('["2.1"]', '["2.1", "2.1"]', "torch 2.1 for cuda is there twice"),
        ('["2.1"]', '["two"]', "Invalid version"),
        ("local: cu121", "locale: cu121", "locale"),
        (
            "verified: true}\nbuilds",
            "verified: true, source_of: {ulr: [page]}}\nbuilds",
            "no field ulr",
        ),
    ],
)
def test_a_wrong_record_is_refused(old: str, new: str, told: str) -> None:
    assert old in SMALL
    with pytest.raises(TwinforgeError, match=told):
        parse_framework_table(SMALL.replace(old, new), "torch.yaml")


def test_a_small_file_is_valid() -> None:
    assert len(parse_framework_table(SMALL, "torch.yaml").builds) == 1
