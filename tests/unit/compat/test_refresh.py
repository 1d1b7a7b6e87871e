from __future__ import annotations

from twinforge.compat.datatext import list_text, value_text
from twinforge.compat.framework_tables import FrameworkTable, parse_framework_table
from twinforge.compat.refresh import index_packages, refresh_framework
from twinforge.compat.wheels import PublishedFile, PublishedVersion, published_versions

TABLE = """
collected: "2026-11-22"
framework: torch
sources: {page: a page}
indexes:
  own: {url: "https://wheels.example.org/cu121", source: [page], verified: true}
builds:
  - {versions: ["2.0", "2.1"], device: cuda, package: torch, pythons: ["3.9"], cpu_archs: [amd64],
     glibc: "2.28", cuda: "12.1", source: [page], verified: true}
  - {versions: ["2.1"], device: cuda, package: torch, index: own, local: cu121, pythons: ["3.9"],
     source: [page], verified: true}
  - {versions: ["2.1"], device: cpu, package: torch-cpu, requires_python: ">=3.9",
     cpu_archs: [amd64], glibc: "2.28", source: [page], verified: true}
"""


def table() -> FrameworkTable:
    return parse_framework_table(TABLE, "torch.yaml")


def published(*names: str, requires_python: str = "") -> dict[str, PublishedVersion]:
    return published_versions(
        PublishedFile(name, requires_python, is_yanked=False) for name in names
    )


def test_tags_tell_pythons_architectures_and_glibc() -> None:
    found = published(
        "torch-2.9.0-cp313-cp313-manylinux_2_28_x86_64.whl",
        "torch-2.9.0-cp310-cp310-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl",
        "torch-2.9.0-cp314-cp314t-manylinux_2_28_x86_64.whl",
        "torch-2.9.0-cp313-cp313-manylinux2014_aarch64.whl",
        "torch-2.9.0-cp312-cp312-win_amd64.whl",
        "torch-2.9.0-cp312-cp312-musllinux_1_2_x86_64.whl",
    )["2.9.0"]
    assert found.pythons == {"amd64": {"3.10", "3.13"}, "arm64": {"3.13"}}
    assert found.glibcs == {"amd64": {"2.27", "2.28"}, "arm64": {"2.17"}}


def test_what_is_no_release_for_linux_does_not_count() -> None:
    assert (
        published(
            "torch-2.9.0rc1-cp313-cp313-manylinux_2_28_x86_64.whl",
            "torch-2.9.0.tar.gz",
            "torch-2.9.0-cp312-cp312-macosx_11_0_arm64.whl",
            "not a wheel.whl",
        )
        == {}
    )
    yanked = PublishedFile("torch-2.9-cp39-cp39-manylinux_2_28_x86_64.whl", "", is_yanked=True)
    assert published_versions([yanked]) == {}


def test_a_wheel_for_every_platform_counts_with_its_range() -> None:
    found = published("jax-1.0-py3-none-any.whl", requires_python=">=3.12")["1.0"]
    assert found.is_pure
    assert found.requires_python == ">=3.12"


def test_the_packages_of_other_indexes_are_not_asked_for() -> None:
    assert index_packages(table()) == ("torch", "torch-cpu")


def test_what_the_index_has_already_said_is_no_change() -> None:
    found = published("torch-2.1-cp39-cp39-manylinux_2_28_x86_64.whl")
    assert refresh_framework(table(), {"torch": found}).changes == ()


def test_a_new_python_of_a_known_version_is_told_and_cited() -> None:
    found = published(
        "torch-2.1-cp39-cp39-manylinux_2_28_x86_64.whl",
        "torch-2.1-cp310-cp310-manylinux_2_28_x86_64.whl",
    )
    refreshed = refresh_framework(table(), {"torch": found})
    assert refreshed.changes == ("torch==2.1 (cuda): pythons 3.9 -> 3.9, 3.10",)
    (changed,) = refreshed.changed
    assert changed.source_of == {"pythons": ["index"]}
    assert changed.cuda == "12.1"
    # the version of the other index is another build
    others = [b for b in refreshed.builds if b.index]
    assert [b.pythons for b in others] == [["3.9"]]


def test_the_cuda_of_a_new_version_stays_unknown() -> None:
    found = published("torch-2.2-cp310-cp310-manylinux_2_31_x86_64.whl")
    (new,) = refresh_framework(table(), {"torch": found}).changed
    assert (new.versions, new.device, new.pythons, new.glibc) == (["2.2"], "cuda", ["3.10"], "2.31")
    assert new.cuda is None
    assert new.unverified == ["device"]
    assert not new.is_verified("device")


def test_versions_older_than_all_that_is_known_are_left_out() -> None:
    found = published("torch-1.0-cp36-cp36m-manylinux1_x86_64.whl")
    assert refresh_framework(table(), {"torch": found}).changes == ()


def test_wheels_for_arm_count_for_the_cpu_only() -> None:
    cpu = published(
        "torch_cpu-2.1-py3-none-manylinux_2_28_x86_64.whl",
        "torch_cpu-2.1-py3-none-manylinux_2_28_aarch64.whl",
        requires_python=">=3.9",
    )
    cuda = published(
        "torch-2.1-cp39-cp39-manylinux_2_28_x86_64.whl",
        "torch-2.1-cp39-cp39-manylinux_2_28_aarch64.whl",
    )
    refreshed = refresh_framework(table(), {"torch": cuda, "torch-cpu": cpu})
    assert refreshed.changes == ("torch-cpu==2.1 (cpu): cpu_archs amd64 -> amd64, arm64",)


def test_wheels_for_arm_that_need_a_newer_glibc_do_not_count() -> None:
    cpu = published(
        "torch_cpu-2.1-py3-none-manylinux_2_28_x86_64.whl",
        "torch_cpu-2.1-py3-none-manylinux_2_34_aarch64.whl",
        requires_python=">=3.9",
    )
    assert refresh_framework(table(), {"torch-cpu": cpu}).changes == ()


def test_records_are_written_as_they_are_read() -> None:
    builds = table().builds
    head = TABLE.partition("builds:\n")[0]
    again = parse_framework_table(f"{head}builds:\n{list_text(builds)}\n", "torch.yaml")
    assert again.builds == builds


def test_text_that_could_be_something_else_is_quoted() -> None:
    assert value_text(["3.10", "yes", "cpu", ">=3.9", "a: b", ""]) == (
        '["3.10", "yes", cpu, ">=3.9", "a: b", ""]'
    )


ARM = """  - {versions: ["2.1"], device: cuda, package: torch, pythons: ["3.9"], cpu_archs: [arm64],
     glibc: "2.28", cuda: "12.1", source: [page], verified: true}
"""


def test_what_is_known_of_arm64_only_is_compared_with_its_own_tags() -> None:
    both = parse_framework_table(TABLE + ARM, "torch.yaml")
    amd64 = "torch-2.1-cp310-cp310-manylinux_2_28_x86_64.whl"
    arm64 = "torch-2.1-cp39-cp39-manylinux_2_28_aarch64.whl"
    one = refresh_framework(both, {"torch": published(amd64, arm64)})
    assert one.changes == ("torch==2.1 (cuda): pythons 3.9 -> 3.10",)
    newer = [name.replace("2.1", "2.2") for name in (amd64, arm64)]
    two = refresh_framework(both, {"torch": published(*newer)})
    assert two.changes == (
        "torch==2.2 (cuda): new, for Python 3.10",
        "torch==2.2 (cuda, arm64): new, for Python 3.9",
    )
    assert [build.cpu_archs for build in two.changed] == [["amd64"], ["arm64"]]
    # a version without wheels for arm64 is none for it
    alone = refresh_framework(both, {"torch": published(newer[0])})
    assert alone.changes == ("torch==2.2 (cuda): new, for Python 3.10",)
