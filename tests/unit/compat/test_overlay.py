from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from twinforge.compat.active import NOTHING, active, in_force
from twinforge.compat.catalog import data_tables
from twinforge.compat.cuda import find_release
from twinforge.compat.frameworks import framework_builds
from twinforge.compat.instances import find_instance
from twinforge.compat.libraries import library_packages
from twinforge.compat.overlay import data_file, load_additions, overlay_names
from twinforge.errors import ProjectError

if TYPE_CHECKING:
    from pathlib import Path

HEAD = 'collected: "2026-11-24"\nsources: {own: our own wheelhouse}\n'
TORCH = f"""{HEAD}builds:
  - {{versions: ["2.15.0", "2.99.0"], device: cuda, package: torch, pythons: ["3.14"],
     cpu_archs: [amd64], glibc: "2.31", cuda: "13.2", source: [own], verified: true}}
"""


def write(root: Path, name: str, text: str) -> None:
    (root / "compat").mkdir(exist_ok=True)
    (root / "compat" / name).write_text(text, "utf-8")


def told(root: Path) -> list[str]:
    with pytest.raises(ProjectError) as error:
        load_additions(root)
    return [str(problem) for problem in error.value.problems]


def test_a_project_without_data_adds_nothing(tmp_path: Path) -> None:
    assert load_additions(tmp_path) is NOTHING
    (tmp_path / "compat").mkdir()
    (tmp_path / "compat" / "README.md").write_text("notes", "utf-8")
    assert load_additions(tmp_path) is NOTHING


def test_records_replace_what_they_are_told_by_and_add_the_rest(tmp_path: Path) -> None:
    write(tmp_path, "torch.yaml", TORCH)
    with in_force(load_additions(tmp_path)):
        builds = [b for b in framework_builds("torch") if not b.index and b.cpu_archs == ("amd64",)]
        found = {b.version: b for b in builds}
        assert found["2.15.0"].pythons == ("3.14",)
        assert found["2.99.0"].pythons == ("3.14",)
        assert len(found["2.14.1"].pythons) > 1
        assert sum(b.version == "2.15.0" for b in builds) == 1


def test_a_fact_names_the_file_of_the_project(tmp_path: Path) -> None:
    write(tmp_path, "torch.yaml", TORCH)
    with in_force(load_additions(tmp_path)):
        build = next(b for b in framework_builds("torch") if b.version == "2.99.0")
    assert build.about["cuda"].sources == ("our own wheelhouse (compat/torch.yaml)",)


def test_outside_the_block_the_data_is_as_it_came(tmp_path: Path) -> None:
    write(tmp_path, "torch.yaml", TORCH)
    before = framework_builds("torch")
    with in_force(load_additions(tmp_path)):
        assert framework_builds("torch") is not before
    assert framework_builds("torch") is before
    assert active() is NOTHING


def test_the_data_of_two_projects_stays_apart(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    write(one, "torch.yaml", TORCH)
    write(other, "torch.yaml", TORCH.replace("2.99.0", "2.98.0"))
    seen = []
    for root in (one, other):
        with in_force(load_additions(root)):
            seen.append({b.version for b in framework_builds("torch")})
    assert "2.99.0" in seen[0] - seen[1]
    assert "2.98.0" in seen[1] - seen[0]


def test_a_record_for_some_families_takes_only_those_from_another(tmp_path: Path) -> None:
    write(
        tmp_path,
        "instances.yaml",
        f"{HEAD}default_drivers:\n  - {{uses: [hosting], families: [g5, g6e], driver: '550',"
        " cuda: '12.4', source: [own], verified: false}\n",
    )
    with in_force(load_additions(tmp_path)):
        drivers = {
            (name, use): str(host.driver)
            for name in ("g4dn", "g5", "g6e")
            for use, host in find_instance(f"ml.{name}.xlarge").default_drivers.items()
        }
    assert drivers == {
        ("g4dn", "hosting"): "470",
        ("g4dn", "transform"): "470",
        ("g5", "hosting"): "550",
        ("g5", "transform"): "470",
        ("g6e", "hosting"): "550",
    }


def test_mappings_are_joined(tmp_path: Path) -> None:
    write(
        tmp_path,
        "cuda.yaml",
        f'{HEAD}releases:\n  "13.6":\n    compute_capabilities: ["7.5"]\n'
        "    driver: {value: '615.1', source: [own], verified: true}\n"
        "    source: [own]\n    verified: true\n",
    )
    assert find_release("13.6") is None
    with in_force(load_additions(tmp_path)):
        assert find_release("13.6") is not None
        assert find_release("12.4") is not None


def test_packages_of_an_own_system_are_known_then(tmp_path: Path) -> None:
    write(
        tmp_path,
        "libraries.yaml",
        f"{HEAD}archives:\n  - {{system: ubuntu-26.10, cuda: '12.4', libraries: "
        "{cublas: [libcublas12]}, dev: [nvidia-cuda-dev], packages: {libcublas12: '1-1'}, "
        "source: [own], verified: true}\n",
    )
    with in_force(load_additions(tmp_path)):
        (package,) = library_packages("12.4", "ubuntu-26.10", ["cublas"])
    assert package.pinned == "libcublas12=1-1"


def test_every_problem_of_every_file_is_told_with_its_place(tmp_path: Path) -> None:
    write(
        tmp_path,
        "cuda.yaml",
        "collected: 2026-11-24\n"
        "sources: {own: x}\n"
        "releses: {}\n"
        "patches:\n"
        '  - {version: "13.6.0", drver: "999", source: [own], verified: true}\n'
        "image_gates: {}\n",
    )
    write(tmp_path, "pytorch.yaml", HEAD)
    write(tmp_path, "images.yml", HEAD)
    date = (
        "compat/cuda.yaml:1:12: collected: 2026-11-24 is a date to some readers of YAML; "
        'quote it: "2026-11-24"'
    )
    assert told(tmp_path) == [
        date,
        "compat/cuda.yaml:3:1: releses: unknown key 'releses'; did you mean 'releases'?",
        "compat/cuda.yaml:5:25: patches[0].drver: unknown key 'drver'; did you mean 'driver'?",
        "compat/cuda.yaml:6:14: image_gates: a list is needed, not a mapping",
        "compat/images.yml: data files end in .yaml; rename it to 'images.yaml'",
        "compat/pytorch.yaml: there is no data called 'pytorch'; did you mean 'torch'?",
    ]


def test_a_version_without_quotes_is_told_to_be_a_number(tmp_path: Path) -> None:
    write(tmp_path, "torch.yaml", TORCH.replace('"13.2"', "13.2"))
    assert any("quote it" in problem and "13.2" in problem for problem in told(tmp_path))


def test_a_source_that_is_not_named_is_told(tmp_path: Path) -> None:
    write(tmp_path, "torch.yaml", TORCH.replace("source: [own]", "source: [wheels]"))
    assert told(tmp_path) == [
        "compat/torch.yaml:2:11: sources.own: nothing cites this source",
        "compat/torch.yaml:5:64: builds[0].source[0]: no source is called 'wheels'; known are 'own'",
    ]


def test_what_does_not_fit_the_data_is_told(tmp_path: Path) -> None:
    text = TORCH.replace("package: torch,", "package: torch, index: nowhere,")
    write(tmp_path, "torch.yaml", text)
    assert told(tmp_path) == ["compat/torch.yaml: no index is called nowhere"]


def test_a_link_out_of_the_project_is_refused(tmp_path: Path) -> None:
    root = tmp_path / "project"
    (root / "compat").mkdir(parents=True)
    (tmp_path / "torch.yaml").write_text(TORCH, "utf-8")
    (root / "compat" / "torch.yaml").symlink_to(tmp_path / "torch.yaml")
    assert told(root) == [
        "compat/torch.yaml: 'compat/torch.yaml' is a link that leads outside the project"
    ]


def test_every_data_file_can_be_added_to() -> None:
    files = {data_file(name) for name in overlay_names()}
    assert set(data_tables()) - files == {"images-rpm.yaml"}
