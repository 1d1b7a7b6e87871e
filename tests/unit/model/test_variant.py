from __future__ import annotations

from pathlib import Path

from twinforge.model.load import load_project

PROJECTS = Path(__file__).parents[2] / "projects"


def test_a_variant_is_named_by_its_values_in_the_order_of_the_axes() -> None:
    cpu, cuda = load_project(PROJECTS / "good-minimal").variants
    assert cpu.slug == "cpu-debian12-py3.11"
    assert cpu.id == "tiny/cpu-debian12-py3.11"
    assert cuda.tag == "1.0.0-cu129-debian12-py3.11"
    assert cuda.folder == "images/tiny/variants/cu129-debian12-py3.11"


def test_variants_that_differ_only_in_accelerator_are_siblings() -> None:
    cpu, cuda = load_project(PROJECTS / "good-minimal").variants
    assert cpu.siblings_key == cuda.siblings_key == (("os", "debian-12"), ("python", "3.11"))
    assert (cpu.accelerator.kind, cuda.accelerator.kind) == ("cpu", "cuda")
