from __future__ import annotations

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel, StringShape

from twinforge.compat.cuda import cuda_releases
from twinforge.compat.facts import USES, Dotted, Use
from twinforge.compat.instances import instance_types
from twinforge.compat.tables import (
    load_cuda_table,
    load_instance_table,
    parse_cuda_table,
    parse_instance_table,
)
from twinforge.errors import TwinforgeError

ENUMERATIONS: dict[Use, str] = {
    "hosting": "ProductionVariantInstanceType",
    "processing": "ProcessingInstanceType",
    "training": "TrainingInstanceType",
    "transform": "TransformInstanceType",
}

SMALL = """
collected: 2026-11-22
botocore: 1.2.3
sources: {page: a page}
families:
  m4:
    cpu_arch: amd64
    accelerator: none
    uses: [hosting]
    sizes: {xlarge: {}}
    source: [page]
    verified: true
default_drivers: []
amis: []
"""

DRIVER = "{uses: [hosting], families: [m4], driver: '1', cuda: '1', source: [page], verified: true}"
DRIVER_OF_P9 = DRIVER.replace("m4", "p9")


@pytest.fixture(scope="module")
def sagemaker() -> ServiceModel:
    return ServiceModel(Loader().load_service_model("sagemaker", "service-2"), "sagemaker")


def enumeration(model: ServiceModel, name: str) -> set[str]:
    shape = model.shape_for(name)
    assert isinstance(shape, StringShape)
    return set(shape.enum)


@pytest.mark.parametrize("use", USES)
def test_every_type_of_botocore_is_known_for_its_use(sagemaker: ServiceModel, use: Use) -> None:
    listed = enumeration(sagemaker, ENUMERATIONS[use])
    known = {name for name, instance in instance_types().items() if use in instance.uses}
    assert sorted(listed - known) == []


def test_every_inference_ami_version_of_botocore_with_a_gpu_is_known(
    sagemaker: ServiceModel,
) -> None:
    listed = enumeration(sagemaker, "ProductionVariantInferenceAmiVersion")
    known = {ami.name for ami in load_instance_table().amis if ami.use == "hosting"}
    assert {name for name in listed if "gpu" in name} == known


def test_the_data_says_when_it_was_collected() -> None:
    assert load_instance_table().collected.isoformat() == "2026-11-22"
    assert load_cuda_table().collected.isoformat() == "2026-11-22"
    assert load_instance_table().botocore == "1.44.5"


def test_every_cuda_release_has_a_driver_and_they_are_in_order() -> None:
    versions = [release.version for release in cuda_releases().values()]
    assert versions == sorted(versions)
    assert all(release.driver_min.major >= 346 for release in cuda_releases().values())


def test_a_small_file_is_valid() -> None:
    assert list(parse_instance_table(SMALL).families) == ["m4"]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("cpu_arch: amd64", "cpu_arch: x86", "cpu_arch"),
        ("verified: true", "verified: yes please", "verified"),
        ("    source: [page]\n", "", "source"),
        ("source: [page]", "source: [web]", "no source is called web"),
        ("{page: a page}", "{page: a page, other: b}", "nothing cites other"),
        ("accelerator: none", "accelerator: nvidia", "compute_capability belongs to NVIDIA"),
        ("xlarge: {}", "xlarge: {gpus: 1}", "gpus"),
        ("xlarge: {}", "xlarge: {vcpus: '4'}", "vcpus"),
        ("default_drivers: []", f"default_drivers: [{DRIVER_OF_P9}]", "no family is called p9"),
        ("botocore: 1.2.3", "botocore: [", "not valid"),
    ],
)
def test_a_wrong_record_is_refused(old: str, new: str, told: str) -> None:
    with pytest.raises(TwinforgeError, match=told):
        parse_instance_table(SMALL.replace(old, new))


def test_two_default_drivers_of_one_family_are_refused() -> None:
    text = SMALL.replace("default_drivers: []", f"default_drivers: [{DRIVER}, {DRIVER}]")
    with pytest.raises(TwinforgeError, match="m4 has two default drivers for hosting"):
        parse_instance_table(text)


def test_a_wrong_cuda_file_is_refused() -> None:
    with pytest.raises(TwinforgeError, match=r"cuda\.yaml"):
        parse_cuda_table("collected: 2026-11-22")


def test_drivers_are_ordered_by_number_and_shown_as_written() -> None:
    assert Dotted.parse("450.80.02") < Dotted.parse("470") < Dotted.parse("525.60.13")
    assert Dotted.parse("9.0") < Dotted.parse("10.3")
    assert str(Dotted.parse("450.80.02")) == "450.80.02"
    with pytest.raises(ValueError, match="'535b' is not a version"):
        Dotted.parse("535b")
