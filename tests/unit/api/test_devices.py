from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from twinforge.api.checks import checks_digests
from twinforge.api.devices import device_asked
from twinforge.api.rendering import locked_variant
from twinforge.errors import UnknownError

if TYPE_CHECKING:
    from tests.unit.world import World
    from twinforge.smoke.device import DeviceAsked

CPU, CUDA = "words/cpu-debian12-py3.11", "words/cu129-debian12-py3.11"
SERVES = "serves: {training: {ml.g5.xlarge: {accelerator: cu129}}}\nregistry: "


def asked(world: World, name: str) -> DeviceAsked:
    (variant,) = world.variants(name)
    return device_asked(world.workspace, variant, locked_variant(world.workspace, variant))


def test_a_device_is_what_matrix_and_lock_say(world: World) -> None:
    world.edit("matrix.yaml", "registry: ", SERVES)
    cuda, cpu = asked(world, CUDA), asked(world, CPU)
    assert (cuda.cuda, cuda.cudnn, cpu.cuda) == ("12.9", "", "")
    assert cuda.apt == {"libgomp1": "12.2.0-14"}
    assert cuda.wheels == {"numpy": "1.0", "xgboost-cu129": "1.0"}
    assert [(one.instance.name, one.use) for one in cuda.machines] == [("ml.g5.xlarge", "training")]
    assert cpu.machines == ()


def test_frameworks_that_come_with_cuda_are_known_by_their_locked_version(world: World) -> None:
    assert asked(world, CUDA).with_cuda == frozenset()
    lock = world.root / "images/words/lock.json"
    text = lock.read_text("utf-8").replace('"xgboost-cu129"', '"xgboost"')
    lock.write_text(text.replace('"version": "1.0"', '"version": "3.2.0"'), "utf-8")
    world.again()
    assert asked(world, CUDA).with_cuda == {"xgboost"}


def test_an_instance_type_without_data_is_refused(world: World) -> None:
    world.edit("matrix.yaml", "registry: ", SERVES.replace("g5.xlarge", "g5.tiny"))
    with pytest.raises(
        UnknownError, match=r"^there is no data on the instance type 'ml\.g5\.tiny'"
    ):
        asked(world, CUDA)


def test_other_gpus_to_serve_are_another_check_of_the_cuda_image_alone(world: World) -> None:
    before = checks_digests(world.workspace, world.variants("words"))
    world.edit("matrix.yaml", "registry: ", SERVES)
    after = checks_digests(world.workspace, world.variants("words"))
    assert after[CUDA] != before[CUDA]
    assert after[CPU] == before[CPU]
