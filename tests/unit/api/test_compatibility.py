from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from twinforge.api.compatibility import check_compatibility

if TYPE_CHECKING:
    from tests.unit.world import World
    from twinforge.api.compatibility import Compatibility

TODAY = date(2026, 6, 1)
"""Before the end of life of Debian 12's first years of support."""
SERVES = "exclude: [{recipe: other, accelerator: cu129}]\nserves:\n"


def serve(world: World, *lines: str) -> None:
    text = SERVES + "".join(f"  {line}\n" for line in lines)
    world.edit("matrix.yaml", "exclude: [{recipe: other, accelerator: cu129}]\n", text)


def check(world: World) -> Compatibility:
    return check_compatibility(world.workspace, TODAY)


def package(world: World, *packages: str) -> None:
    # what is locked would be asked about; these are not yet
    (world.root / "images/words/lock.json").unlink(missing_ok=True)
    for lock in world.root.rglob("*lock*"):
        lock.unlink()
    lines = "\n".join(f"    - {one}" for one in packages)
    world.edit("recipes/words.yaml", "program:", f"python:\n  packages:\n{lines}\nprogram:")


def test_a_project_without_frameworks_and_served_types_is_all_right(world: World) -> None:
    found = check(world)
    assert (found.problems, found.warnings, found.conditions) == ((), (), ())


def test_an_impossible_cell_names_the_facts_and_the_lines_that_ask_for_it(world: World) -> None:
    serve(world, "hosting:", "  ml.p2.xlarge: {accelerator: cu129}")
    (problem,) = check(world).problems
    assert (problem.path, problem.line, problem.column) == ("matrix.yaml", 13, 5)
    text = problem.message
    assert text.startswith(
        "words/cu129-debian12-py3.11 on ml.p2.xlarge (hosting): can't work: p2 has the NVIDIA Tesla "
        "K80, of compute capability 3.7 (https://"
    )
    assert "CUDA 12.9 knows compute capabilities 5.0 to 12.1" in text
    assert "ml.p2.xlarge (matrix.yaml:13:5), CUDA 12.9 (matrix.yaml:5:3)" in text
    assert text.endswith("this would work: CUDA 11.8 instead of 12.9")


def test_the_recipe_s_line_is_named_where_a_package_is_at_fault(world: World) -> None:
    package(world, "tensorflow==2.10.0")
    world.edit("matrix.yaml", 'python: ["3.11"]', 'python: ["3.13"]')
    found = check(world)
    assert found.problems
    assert (
        "tensorflow 2.10.0 has wheels for Python 3.7, 3.8, 3.9, 3.10" in found.problems[0].message
    )
    assert "tensorflow==2.10.0 (recipes/words.yaml:6:7)" in found.problems[0].message


def test_the_same_conflict_of_several_variants_is_told_once(world: World) -> None:
    serve(world, "hosting:", "  ml.p2.xlarge: {accelerator: cu129}")
    world.edit(
        "matrix.yaml",
        "{recipe: words, accelerator: cpu}",
        "{recipe: words, accelerator: cpu, python: '3.11'}",
    )
    world.edit("matrix.yaml", 'python: ["3.11"]', 'python: ["3.11", "3.12"]')
    (problem,) = check(world).problems
    assert problem.message.startswith(
        "words/cu129-debian12-py3.11 on ml.p2.xlarge (hosting) and 1 more:"
    )


def test_what_is_not_known_is_a_warning_and_no_error(world: World) -> None:
    serve(world, "hosting:", "  ml.g5.xlarg: {accelerator: cu129}")
    found = check(world)
    assert found.problems == ()
    (warning,) = found.warnings
    assert "there is no data on the instance type 'ml.g5.xlarg'" in warning.message
    assert "did you mean 'ml.g5.xlarge'?" in warning.message


def test_a_condition_is_said(world: World) -> None:
    serve(world, "hosting:", "  ml.g4dn.xlarge: {accelerator: cu129}")
    (condition,) = check(world).conditions
    assert "InferenceAmiVersion 'al2-ami-sagemaker-inference-gpu-2'" in condition.message


def test_uses_are_asked_about_apart(world: World) -> None:
    serve(
        world,
        "hosting:",
        "  ml.m5.xlarge: {accelerator: cpu}",
        "training:",
        "  ml.p3.2xlarge: {accelerator: cu129}",
        "processing:",
        "  ml.t2.medium: {accelerator: cpu}",
    )
    found = check(world)
    assert ["ml.t2.medium is not offered for processing" in p.message for p in found.problems] == [
        True
    ]
    assert ["training jobs on ml.p3 is not published" in c.message for c in found.conditions] == [
        True
    ]


def test_wheels_that_bring_cuda_on_a_base_that_has_it_are_a_warning(world: World) -> None:
    package(world, "torch==2.6.0")
    world.edit(
        "matrix.yaml",
        "debian-12: {bootstrap: bookworm}",
        'debian-12: {bootstrap: bookworm}\n  cuda-12.9-debian-12: {image: "nvidia/cuda:'
        '12.9.1-runtime-ubuntu22.04", cuda: "12.9"}',
    )
    (warning,) = check(world).warnings
    assert "CUDA's libraries come more than once" in warning.message
    assert "the base nvidia/cuda:12.9.1-runtime-ubuntu22.04" in warning.message
    assert "the wheels torch==2.6.0" in warning.message
    assert "the base nvidia/cuda:12.9.1-base-ubuntu22.04 avoids it" in warning.message


def test_the_project_s_own_data_is_heeded(world: World) -> None:
    serve(world, "hosting:", "  ml.zz9.xlarge: {accelerator: cpu}")
    assert check(world).warnings
    folder = world.root / "compat"
    folder.mkdir()
    (folder / "instances.yaml").write_text(
        'collected: "2026-11-01"\nsources: {us: "our account"}\nfamilies:\n  zz9:\n'
        "    cpu_arch: amd64\n    accelerator: none\n    uses: [hosting]\n    sizes: {xlarge: {}}\n"
        "    source: [us]\n    verified: true\n"
    )
    world.again()
    assert check(world).warnings == ()
