"""An override on its way through the rooms: what changes, and for which variants."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.world import write_locks
from twinforge.api.building import build_specs
from twinforge.api.checks import checks_digests
from twinforge.api.inputs import Inputs
from twinforge.api.locking import check_locks, lock_recipes
from twinforge.errors import StaleError
from twinforge.lock.resolve import Upgrade

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.world import World

CPU, CUDA, OTHER = (
    "words/cpu-debian12-py3.11",
    "words/cu129-debian12-py3.11",
    "other/cpu-debian12-py3.11",
)
ENV = "overrides: [{when: kind == cuda, env: {A: '1'}}]\n"


def keys(world: World) -> dict[str, str]:
    inputs = Inputs(world.workspace, world.variants())
    return {name: key.hex for name, key in inputs.keys().items()}


def differing(before: dict[str, str], after: dict[str, str]) -> list[str]:
    return [name for name in before if before[name] != after[name]]


def add(world: World, text: str) -> None:
    world.edit("recipes/words.yaml", "program: program\n", f"program: program\n{text}")


def test_an_environment_variable_changes_the_key_of_its_variants_and_no_lock(world: World) -> None:
    before = keys(world)
    add(world, ENV)
    assert differing(before, keys(world)) == [CUDA]
    check_locks(world.workspace, ["words", "other"])
    changed = keys(world)
    world.edit("recipes/words.yaml", "A: '1'", "A: '2'")
    assert differing(changed, keys(world)) == [CUDA]
    world.edit("recipes/words.yaml", ENV.replace("'1'", "'2'"), "")
    assert keys(world) == before


def test_an_override_that_changes_nothing_yet_changes_no_key(world: World) -> None:
    before = keys(world)
    add(world, "env: {A: '1'}\n")
    same = keys(world)
    assert differing(before, same) == [CPU, CUDA]
    add(world, ENV)
    assert keys(world) == same


@pytest.mark.parametrize(
    "text",
    [
        "overrides: [{when: kind == cuda, python: {packages: [nccl]}}]\n",
        "overrides: [{when: kind == cuda, system: {packages: [libgomp1=12]}}]\n",
        "python: {packages: [{package: nccl, when: kind == cuda}]}\n",
    ],
)
def test_packages_of_an_override_make_the_recipe_s_lock_stale(world: World, text: str) -> None:
    add(world, text)
    with pytest.raises(StaleError) as caught:
        check_locks(world.workspace, ["words", "other"])
    assert caught.value.message == (
        "the lock of 'words' is stale: its recipe or the matrix has changed"
    )
    write_locks(world.workspace)
    world.again()
    check_locks(world.workspace, ["words", "other"])
    world.edit("recipes/words.yaml", "when: kind == cuda", "when: kind == cpu")
    with pytest.raises(StaleError):
        check_locks(world.workspace, ["words", "other"])


def test_an_override_of_the_matrix_reaches_every_recipe_that_it_names(world: World) -> None:
    before = keys(world)
    world.edit(
        "matrix.yaml", "registry:", "overrides: [{when: kind == cpu, env: {A: b}}]\nregistry:"
    )
    assert differing(before, keys(world)) == [OTHER, CPU]


def test_checks_of_an_override_are_asked_of_its_variants_only(world: World) -> None:
    before = checks_digests(world.workspace, world.variants())
    add(world, "overrides: [{when: kind == cuda, smoke: {startup_s: 9}}]\n")
    after = checks_digests(world.workspace, world.variants())
    assert differing(before, after) == [CUDA]
    assert keys(world)[CUDA]


def test_what_an_heir_s_parent_changes_makes_the_heir_stale(world: World) -> None:
    world.edit("recipes/other.yaml", "program: program\n", "extends: words\n")
    write_locks(world.workspace)
    world.again()
    before = keys(world)
    check_locks(world.workspace, ["words", "other"])
    add(world, "env: {A: '1'}\n")
    assert differing(before, keys(world)) == [OTHER, CPU, CUDA]
    world.edit("recipes/words.yaml", "[libgomp1]", "[libgomp1, curl]")
    with pytest.raises(StaleError) as caught:
        check_locks(world.workspace, ["words", "other"])
    assert "'words' is stale" in caught.value.message
    assert "'other' is stale" in caught.value.message


def test_specs_of_all_builds_have_the_key_and_the_version_as_tags(world: World) -> None:
    specs = build_specs(world.workspace, world.variants())
    assert [spec.name for spec in specs] == [OTHER, CPU, CUDA]
    assert specs[1].tags == (
        f"ml/words:key-{keys(world)[CPU][:16]}",
        "ml/words:1.0.0-cpu-debian12-py3.11",
    )
    assert (specs[1].folder / "Dockerfile").is_file()
    assert specs[1].contexts["twinforge/base:debian-12"].startswith("docker-image://twinforge/base")


@pytest.mark.parametrize(
    "text",
    [
        "overrides: [{when: kind == cuda, python: {indexes: ['https://a.example.org/']}}]\n",
        "python: {packages: [{package: nccl, when: kind == cuda, index: 'https://a.example.org/'}]}\n",
    ],
)
def test_credentials_go_to_the_builds_that_ask_an_index_and_to_no_other(
    world: World, tmp_path: Path, text: str
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine a.example.org login me password hunter2")
    add(world, text)
    write_locks(world.workspace)
    world.again()
    world.render()
    vars(world.workspace).update(environ={**world.workspace.environ, "NETRC": str(netrc)})
    specs = build_specs(world.workspace, world.variants())
    assert {spec.name: spec.secrets.get("netrc") for spec in specs} == {
        OTHER: None,
        CPU: None,
        CUDA: netrc,
    }


def test_a_recipe_that_only_others_extend_needs_no_lock(world: World) -> None:
    world.edit("recipes/other.yaml", "program: program\n", "extends: words\n")
    world.edit("matrix.yaml", "exclude: [", "exclude: [{recipe: words}, ")
    world.edit("matrix.yaml", "aliases: {latest-cpu: {recipe: words, accelerator: cpu}}\n", "")
    write_locks(world.workspace)
    (world.root / "images/words/lock.json").unlink()
    world.again()
    assert [variant.id for variant in world.variants()] == [OTHER]
    check_locks(world.workspace, ["words", "other"])
    assert lock_recipes(world.workspace, ["words"], Upgrade()) == ()
