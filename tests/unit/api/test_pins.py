"""NVIDIA's locked wheels must be of the CUDA and the cuDNN that the accelerator names."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import pytest

from tests.unit.world import wheel
from twinforge.api.compatibility import check_compatibility
from twinforge.lock.document import write_recipe_lock
from twinforge.lock.locked import DEVICE

if TYPE_CHECKING:
    from tests.unit.world import World


def lock_wheel(world: World, name: str, version: str) -> None:
    """Put a wheel into the lock of every variant."""
    lock = world.workspace.lock_of("words")
    assert lock is not None
    more = replace(wheel(name, DEVICE), version=version)
    variants = tuple(replace(one, wheels=(*one.wheels, more)) for one in lock.variants)
    write_recipe_lock(world.root, replace(lock, variants=variants))
    world.again()


@pytest.mark.parametrize(
    ("name", "version", "said"),
    [
        ("nvidia-cudnn-cu12", "9.10.2.21", ""),
        (
            "nvidia-cudnn-cu12",
            "9.1.0.70",
            (
                "cuDNN 9.10 of the accelerator 'cu129' is not what is locked, "
                "nvidia-cudnn-cu12==9.1.0.70"
            ),
        ),
        ("nvidia-cuda-runtime-cu12", "12.9.79", ""),
        (
            "nvidia-cuda-runtime-cu12",
            "12.4.127",
            (
                "CUDA 12.9 of the accelerator 'cu129' is not what is locked, "
                "nvidia-cuda-runtime-cu12==12.4.127"
            ),
        ),
        ("nvidia-cuda-runtime", "13.0.48", "CUDA 12.9 of the accelerator 'cu129' is not"),
        ("nvidia-cublas-cu12", "12.4.5.8", ""),
    ],
)
def test_a_wheel_of_another_version_than_the_accelerator_s_is_an_error(
    world: World, name: str, version: str, said: str
) -> None:
    world.edit("matrix.yaml", 'cuda: "12.9"', 'cuda: "12.9", cudnn: "9.10"')
    lock_wheel(world, name, version)
    problems = check_compatibility(world.workspace, date(2026, 7, 30)).problems
    assert [said in problem.message for problem in problems] == ([True] if said else [])
    assert all("matrix.yaml" in str(problem) for problem in problems)


def test_an_accelerator_without_a_cudnn_takes_any(world: World) -> None:
    lock_wheel(world, "nvidia-cudnn-cu12", "9.1.0.70")
    assert check_compatibility(world.workspace, date(2026, 7, 30)).problems == ()
