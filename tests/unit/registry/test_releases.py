from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from twinforge.errors import ProjectError
from twinforge.registry.releases import (
    Release,
    ReleasedVariant,
    merge_releases,
    read_release,
    release_path,
    write_release,
)

if TYPE_CHECKING:
    from pathlib import Path

ONE = "sha256:" + "1" * 64
TWO = "sha256:" + "2" * 64
CPU = ReleasedVariant(
    slug="cpu-py3.11",
    version="1.2.0",
    accelerator="cpu",
    cuda="",
    key="a" * 64,
    image_id=ONE,
    tags=("1.2.0-cpu-py3.11", "key-aaaaaaaaaaaaaaaa"),
    aliases=("latest-cpu",),
    digests={"host/one": ONE},
)
CUDA = replace(CPU, slug="cu129-py3.11", accelerator="cu129", cuda="12.9", aliases=("latest-cuda",))


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    release = Release("digits", (CPU, CUDA))
    write_release(tmp_path, release)
    assert read_release(tmp_path, "digits") == release


def test_nothing_released_is_none(tmp_path: Path) -> None:
    assert read_release(tmp_path, "digits") is None


def test_another_region_of_the_same_image_is_kept(tmp_path: Path) -> None:
    write_release(tmp_path, Release("digits", (CPU,)))
    write_release(tmp_path, Release("digits", (replace(CPU, digests={"host/two": TWO}),)))
    found = read_release(tmp_path, "digits")
    assert found is not None
    assert dict(found.variants[0].digests) == {"host/one": ONE, "host/two": TWO}


def test_a_region_that_still_has_other_content_is_not_named_for_the_new_one() -> None:
    new = replace(CPU, image_id=TWO, digests={"host/two": TWO})
    merged = merge_releases(Release("digits", (CPU,)), Release("digits", (new,)))
    assert dict(merged.variants[0].digests) == {"host/two": TWO}


def test_variants_that_were_not_pushed_stay_and_the_order_is_by_slug() -> None:
    merged = merge_releases(Release("digits", (CUDA,)), Release("digits", (CPU,)))
    assert [variant.slug for variant in merged.variants] == ["cpu-py3.11", "cu129-py3.11"]


def test_an_alias_belongs_to_the_variant_that_took_it_last() -> None:
    thief = replace(CUDA, aliases=("latest-cpu",))
    merged = merge_releases(Release("digits", (CPU,)), Release("digits", (thief,)))
    assert [variant.aliases for variant in merged.variants] == [(), ("latest-cpu",)]


def test_the_same_release_gives_the_same_bytes_and_leaves_nothing_else(tmp_path: Path) -> None:
    write_release(tmp_path, Release("digits", (CUDA, CPU)))
    first = (tmp_path / release_path("digits")).read_bytes()
    write_release(tmp_path, Release("digits", (CPU, CUDA)))
    assert (tmp_path / release_path("digits")).read_bytes() == first
    assert [path.name for path in (tmp_path / "releases").iterdir()] == ["digits.json"]


def test_every_problem_of_a_damaged_file_is_named_and_the_file_is_left(tmp_path: Path) -> None:
    write_release(tmp_path, Release("digits", (CPU,)))
    path = tmp_path / release_path("digits")
    document = json.loads(path.read_text())
    document["surprise"] = 1
    document["variants"]["cpu-py3.11"]["version"] = 1
    path.write_text(json.dumps(document))
    before = path.read_bytes()
    with pytest.raises(ProjectError) as caught:
        write_release(tmp_path, Release("digits", (CUDA,)))
    assert [problem.where for problem in caught.value.problems] == [
        "surprise",
        "variants.cpu-py3.11.version",
    ]
    assert path.read_bytes() == before


def test_a_file_of_another_recipe_is_refused(tmp_path: Path) -> None:
    write_release(tmp_path, Release("digits", (CPU,)))
    (tmp_path / release_path("digits")).rename(tmp_path / release_path("letters"))
    with pytest.raises(ProjectError, match="'digits' is not the recipe"):
        read_release(tmp_path, "letters")


def test_an_image_for_arm64_is_written_down_as_one(tmp_path: Path) -> None:
    arm = replace(CPU, slug=f"{CPU.slug}-arm64", cpu_arch="arm64")
    write_release(tmp_path, Release("digits", (CPU, arm)))
    found = read_release(tmp_path, "digits")
    assert found is not None
    assert [one.cpu_arch for one in found.variants] == ["amd64", "arm64"]
    # what was written before there were others stays as it was
    assert (tmp_path / "releases" / "digits.json").read_text("utf-8").count("cpu_arch") == 1
