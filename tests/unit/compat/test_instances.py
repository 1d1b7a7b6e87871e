from __future__ import annotations

import pytest

from twinforge.compat.instances import find_instance
from twinforge.errors import UnknownError


# sagemaker 2.257.7, image_uri_config/instance_gpu_info.json: "ml.p2.xlarge": {"Count": 1,
# "TotalGpuMemoryInMiB": 12288}; NVIDIA's table of GPUs: "Tesla K80 3.7"
def test_p2_has_one_k80() -> None:
    instance = find_instance("ml.p2.xlarge")
    assert instance.gpu is not None
    assert (instance.model, instance.gpu.sm) == ("NVIDIA Tesla K80", "sm_37")
    assert (instance.accelerators, instance.accelerator_memory_mib) == (1, 12288)


# EC2 DescribeInstanceTypes: g4dn.12xlarge, 48 vCPU, 4 T4 with 16384 MiB each
def test_g4dn_12xlarge_has_four_t4() -> None:
    instance = find_instance("ml.g4dn.12xlarge")
    assert instance.gpu is not None
    assert (instance.model, instance.gpu.compute_capability.text) == ("NVIDIA T4", "7.5")
    assert (instance.accelerators, instance.vcpus) == (4, 48)


@pytest.mark.parametrize(
    ("name", "cpu_arch", "accelerator"),
    [
        ("ml.m4.xlarge", "amd64", "none"),
        ("ml.c7g.large", "arm64", "none"),
        ("ml.inf1.xlarge", "amd64", "neuron"),
        ("ml.trn1.2xlarge", "amd64", "neuron"),
        ("ml.dl1.24xlarge", "amd64", "habana"),
        ("ml.p6e-gb200.36xlarge", "arm64", "nvidia"),
    ],
)
def test_families_are_told_apart(name: str, cpu_arch: str, accelerator: str) -> None:
    instance = find_instance(name)
    assert (instance.cpu_arch, instance.accelerator) == (cpu_arch, accelerator)


def test_uses_differ_between_the_sizes_of_a_family() -> None:
    assert find_instance("ml.c4.large").uses == ("hosting",)
    assert "training" in find_instance("ml.c4.xlarge").uses


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("ml.p2.xlage", "did you mean 'ml.p2.xlarge'?"),
        ("p2.xlarge", "did you mean 'ml.p2.xlarge'?"),
        ("ml.p2.48xlarge", "did you mean 'ml.p2.8xlarge'?"),
        ("ml.p2.huge", "known sizes: ml.p2.xlarge, ml.p2.8xlarge, ml.p2.16xlarge"),
        ("ml.zz9.xlarge", "known types are those of botocore 1.44.5, such as 'ml.m5.xlarge'"),
    ],
)
def test_an_unknown_type_is_refused_with_what_was_meant(name: str, hint: str) -> None:
    with pytest.raises(
        UnknownError, match=f"there is no data on the instance type '{name}'"
    ) as got:
        find_instance(name)
    assert got.value.hint == hint
    assert got.value.exit_status == 3
