"""An override of CUDA's libraries on its way from the recipe to what apt is asked for."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from tests.unit.world import write_locks
from twinforge.api.compatibility import check_compatibility
from twinforge.api.locking import check_locks
from twinforge.errors import StaleError
from twinforge.lock.apt import apt_packages
from twinforge.lock.cuda import cuda_troubles

if TYPE_CHECKING:
    from tests.unit.world import World

CPU, CUDA = "words/cpu-debian12-py3.11", "words/cu118-debian12-py3.11"
RECIPE = "cuda: {libraries: [cufft], dev: true}\n"


@pytest.fixture
def debian(world: World) -> World:
    """A project whose CUDA variants get CUDA 11.8 from Debian."""
    world.edit("matrix.yaml", "cu129", "cu118")
    world.edit("matrix.yaml", "12.9", "11.8")
    components = "{bootstrap: bookworm, components: [main, non-free]}"
    world.edit("matrix.yaml", "{bootstrap: bookworm}", components)
    return world


def add(world: World, text: str) -> None:
    world.edit("recipes/words.yaml", "program: program\n", f"program: program\n{text}")


def asked(world: World, name: str) -> list[str]:
    (variant,) = (one for one in world.variants() if one.id == name)
    recipe = world.workspace.project.recipe(variant.recipe)
    return [one.name for one in apt_packages(recipe, variant) if one.name != "libgomp1"]


def test_libraries_of_an_override_come_beside_the_recipe_s_in_its_variants(debian: World) -> None:
    add(debian, f"{RECIPE}overrides: [{{when: kind == cuda, cuda: {{libraries: [curand]}}}}]\n")
    assert asked(debian, CUDA) == ["libcufft10", "nvidia-cuda-dev", "libcurand10"]
    assert asked(debian, CPU) == []


@pytest.mark.parametrize(("dev", "is_there"), [("true", True), ("false", False)])
def test_headers_are_what_the_last_override_says(
    debian: World, dev: str, *, is_there: bool
) -> None:
    first = "{when: kind == cuda, cuda: {dev: true}}"
    last = f"{{when: cuda == 11.8, cuda: {{dev: {dev}}}}}"
    add(debian, f"cuda: {{libraries: [cufft]}}\noverrides: [{first}, {last}]\n")
    assert ("nvidia-cuda-dev" in asked(debian, CUDA)) is is_there


def test_an_override_of_the_matrix_gives_libraries_to_every_recipe(debian: World) -> None:
    override = "overrides: [{when: cuda == 11.8, cuda: {libraries: [cufft]}}]\nregistry:"
    debian.edit("matrix.yaml", "registry:", override)
    assert asked(debian, CUDA) == ["libcufft10"]


def test_a_library_of_an_override_makes_the_lock_stale(debian: World) -> None:
    write_locks(debian.workspace)
    debian.again()
    check_locks(debian.workspace, ["words", "other"])
    add(debian, "overrides: [{when: kind == cuda, cuda: {libraries: [curand]}}]\n")
    with pytest.raises(StaleError, match="the lock of 'words' is stale"):
        check_locks(debian.workspace, ["words", "other"])


def test_check_names_the_line_of_the_override_whose_library_is_not_there(debian: World) -> None:
    add(debian, "overrides:\n- when: kind == cuda\n  cuda: {libraries: [cufft, cublass]}\n")
    (variant,) = (one for one in debian.variants() if one.id == CUDA)
    recipe = debian.workspace.project.recipe_for(variant)
    (trouble,) = cuda_troubles(recipe, variant)
    assert str(trouble.place) == "recipes/words.yaml:7:29"
    found = check_compatibility(debian.workspace, date(2026, 11, 24))
    (problem,) = (one for one in found.problems if "cublass" in one.message)
    assert (problem.path, problem.line, problem.column) == ("recipes/words.yaml", 7, 29)
    assert "did you mean 'cublas'?" in problem.message
