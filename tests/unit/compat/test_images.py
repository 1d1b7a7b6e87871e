from __future__ import annotations

from datetime import date

import pytest

from twinforge.compat.image_tables import load_image_table, parse_image_table
from twinforge.compat.images import cuda_images, find_image, image_tag
from twinforge.errors import TwinforgeError

SMALL = """
collected: "2026-11-22"
sources: {page: a page}
images:
  - {cuda: "12.4.1", system: ubuntu22.04, flavours: [base], status: supported, source: [page],
     verified: true}
"""


def test_the_base_of_keras_2018_is_gone() -> None:
    image = find_image("nvidia/cuda:9.0-base-ubuntu16.04")
    assert image is not None
    assert image.status == "gone"
    assert image.last_listed == date(2023, 4, 11)
    assert image.system == "ubuntu-16.04"
    assert (image.flavour, image.cudnn) == ("base", "")
    assert "none of NVIDIA's lists" in image.status_fact.text


def test_a_tag_with_cudnn_tells_which() -> None:
    image = find_image("docker.io/nvidia/cuda:12.4.1-cudnn-runtime-ubuntu22.04@sha256:" + "0" * 64)
    assert image is not None
    assert (image.flavour, image.cudnn, str(image.cudnn_version)) == (
        "runtime",
        "cudnn",
        "9.1.0.70",
    )
    assert image.status == "supported"
    assert image.reference == "nvidia/cuda:12.4.1-cudnn-runtime-ubuntu22.04"


def test_an_end_of_life_has_its_days() -> None:
    # nvidia/container-images/cuda doc/container_tags.xlsx: 12.6.2, 2024-12-03, 2025-06-03
    image = find_image("nvidia/cuda:12.6.2-base-ubuntu22.04")
    assert image is not None
    assert (image.end_of_life, image.deletion) == (date(2024, 12, 3), date(2025, 6, 3))
    assert image.status == "unsupported"


def test_what_could_not_be_pulled_is_told_even_where_it_is_listed() -> None:
    image = find_image("nvidia/cuda:11.8.0-cudnn8-devel-centos7")
    assert image is not None
    assert image.status == "supported"
    assert image.removal is not None


@pytest.mark.parametrize(
    "reference",
    ["ubuntu:22.04", "nvidia/cuda:12.4.1-bas-ubuntu22.04", "nvidia/cuda", "own/cuda:9.0"],
)
def test_there_is_no_data_on_other_images(reference: str) -> None:
    assert find_image(reference) is None


def test_a_port_is_no_tag() -> None:
    assert image_tag("registry.example.org:5000/nvidia/cuda:9.0-base") == ""


def test_every_tag_of_cuda_since_9_has_its_parts_and_a_source() -> None:
    images = cuda_images()
    assert len(images) > 2000
    for tag, image in images.items():
        assert tag.startswith(image.cuda.text)
        assert all(fact.sources for fact in image.facts)
    assert images["12.4.1-base-ubuntu22.04"] == find_image("nvidia/cuda:12.4.1-base-ubuntu22.04")


def test_tags_of_some_systems_are_those_of_all_that_are_on_them() -> None:
    everything = cuda_images("supported")
    for systems in (("ubuntu-22.04", "ubuntu-24.04"), ("ubuntu-22.04", "ubi-9"), ("ubi-8",), ()):
        wanted = {tag: one for tag, one in everything.items() if one.system in systems}
        assert dict(cuda_images("supported", systems)) == wanted
        assert {one.system for one in wanted.values()} == set(systems)


def test_the_second_file_has_no_tags_of_systems_with_apt() -> None:
    systems = {record.system for record in load_image_table("images-rpm.yaml").images}
    assert not [name for name in systems if not name or name.startswith(("debian", "ubuntu"))]


@pytest.mark.parametrize(
    ("old", "new"),
    [("[base]", "[basic]"), ("status: supported", "status: fine"), ("system:", "sistem:")],
)
def test_a_wrong_record_is_refused(old: str, new: str) -> None:
    assert parse_image_table(SMALL).images
    with pytest.raises(TwinforgeError, match="images"):
        parse_image_table(SMALL.replace(old, new))


def test_a_removal_names_something() -> None:
    with pytest.raises(TwinforgeError, match="a removal names releases or tags"):
        parse_image_table(f"{SMALL}removals: [{{source: [page], verified: true}}]\n")
