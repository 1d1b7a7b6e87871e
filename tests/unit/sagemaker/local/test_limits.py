from __future__ import annotations

from twinforge.compat.instances import find_instance
from twinforge.sagemaker.local.desk import Machine
from twinforge.sagemaker.local.limits import limits_for

GIB = 1 << 30
BIG = Machine(64, 512 * GIB, has_gpus=True)


def test_an_engine_that_has_it_all_gives_what_the_type_has() -> None:
    found = limits_for(find_instance("ml.m4.xlarge"), BIG)
    assert (found.cpus, found.memory_bytes, found.gpus, found.notes) == (4, 16 * GIB, False, ())


def test_what_the_engine_lacks_is_capped_and_said() -> None:
    found = limits_for(find_instance("ml.m4.xlarge"), Machine(2, 8 * GIB))
    assert (found.cpus, found.memory_bytes) == (2, 8 * GIB)
    assert found.notes == (
        "ml.m4.xlarge has 4 vCPUs, the engine 2",
        "ml.m4.xlarge has 16.0 GiB of memory, the engine 8.0 GiB",
    )


def test_gpus_are_given_where_the_engine_has_some() -> None:
    machine = find_instance("ml.g5.xlarge")
    assert limits_for(machine, BIG).gpus
    without = limits_for(machine, Machine(64, 512 * GIB))
    assert not without.gpus
    assert without.notes == ("ml.g5.xlarge has NVIDIA A10G, the engine can't give it: CPU only",)


def test_an_accelerator_that_is_no_gpu_is_never_given() -> None:
    found = limits_for(find_instance("ml.inf2.xlarge"), BIG)
    assert not found.gpus
    assert "CPU only" in found.notes[0]


def test_numbers_that_nobody_published_limit_nothing_and_that_is_said() -> None:
    found = limits_for(find_instance("ml.p3.2xlarge"), BIG)
    assert (found.cpus, found.memory_bytes) == (0, 0)
    assert "ml.p3.2xlarge has is not known: no limit" in found.notes[0]
