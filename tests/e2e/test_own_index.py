"""A package with an index of its own for CPUs, as PyTorch's: locked, built, and out of reach."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from tests.e2e.workbench import copy_tiny, docker, machine_bundle
from tests.index_server import IndexServer, running_index, write_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.workbench import Project

pytestmark = pytest.mark.engine

CPU, CUDA = "cpu-py3.11-debian12", "cu129-py3.11-debian12"
SHELF = "shelved: [{when: kind == cpu, reason: its index is out of reach}]"
PACKAGES = """packages:
    - packaging
    - {{package: iniconfig==2.1.0, when: kind == cuda}}
    - {{package: iniconfig==2.1.0+cpu, when: kind == cpu, index: "{index}"}}
parity:
  exempt: {{iniconfig: one version with a mark}}"""

ALONE = """packages:
    - packaging
    - {{package: iniconfig==2.1.0+cpu, index: "{index}"}}"""
PROGRAM = (
    "import iniconfig, importlib.metadata as m, packaging;"
    "print(m.version('iniconfig'), hasattr(iniconfig, 'MADE_FOR'), m.version('packaging'))"
)


@dataclass(frozen=True, slots=True)
class Locked:
    """The project, locked while its index was there, and what that was asked for."""

    project: Project
    index: IndexServer
    asked: set[str]

    def pins(self, slug: str, recipe: str = "tiny") -> dict[str, str]:
        """The requirements of a variant: name -> version and hash."""
        text = self.project.read(f"images/{recipe}/variants/{slug}/requirements.txt")
        lines = (line for line in text.splitlines() if not line.startswith("#"))
        return dict(line.split("==") for line in lines)

    def said(self, recipe: str, slug: str) -> list[str]:
        """What an image says of its packages: version of iniconfig, whose it is, packaging's."""
        text = self.project.read(f"recipes/{recipe}.yaml")
        (version,) = re.findall(r"^version: (.+)$", text, re.MULTILINE)
        image = self.project.image_id(recipe, f"{version}-{slug}")
        return docker("run", "--rm", "--network", "none", image, "python", "-c", PROGRAM).split()


@pytest.fixture(scope="module")
def locked(digits: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Locked]:
    folder = tmp_path_factory.mktemp("own-index")
    wheels = folder / "wheels"
    wheels.mkdir()
    write_wheel(wheels, "iniconfig", "2.1.0+cpu", {"iniconfig/__init__.py": "MADE_FOR = 'cpu'\n"})
    # as PyTorch's index has numpy: what it isn't asked for, and older than the default index's
    write_wheel(wheels, "packaging", "20.0", {"packaging/__init__.py": "raise ImportError\n"})
    with running_index(wheels) as index:
        bundle = folder / "bundle.pem"
        bundle.write_bytes(machine_bundle().read_bytes() + index.authority.read_bytes())
        project = copy_tiny(folder / "project", digits.program)
        project = replace(project, env={"SSL_CERT_FILE": str(bundle)})
        project.edit("recipes/tiny.yaml", "packages: [iniconfig]", PACKAGES.format(index=index.url))
        project.edit("recipes/other.yaml", "packages: [iniconfig]", ALONE.format(index=index.url))
        for recipe in ("tiny", "other"):
            project.set_version(recipe)
        project.must("lock")
        yield Locked(project, index, index.projects_asked())
        project.remove_images()


def test_only_the_package_that_says_so_comes_from_its_index(locked: Locked) -> None:
    cpu, cuda = locked.pins(CPU), locked.pins(CUDA)
    assert cpu.pop("iniconfig").startswith("2.1.0+cpu ")
    assert cuda.pop("iniconfig").startswith("2.1.0 ")
    assert cpu == cuda
    assert not cpu["packaging"].startswith("20.0 ")
    assert locked.asked == {"iniconfig"}


def test_each_image_holds_its_own_build_and_the_same_of_all_else(locked: Locked) -> None:
    locked.project.must("build")
    packaging = locked.pins(CPU)["packaging"].split()[0]
    assert locked.said("tiny", CPU) == ["2.1.0+cpu", "True", packaging]
    assert locked.said("tiny", CUDA) == ["2.1.0", "False", packaging]
    # without a sibling everything is in one layer, and what the index has in another version as well
    assert "UV_INDEX_STRATEGY" in locked.project.read(f"images/other/variants/{CPU}/Dockerfile")
    assert locked.said("other", CPU) == ["2.1.0+cpu", "True", packaging]


def test_an_index_out_of_reach_is_named_and_takes_only_its_own_variants_along(
    locked: Locked, tmp_path: Path
) -> None:
    nowhere = "https://127.0.0.1:9/whl/cpu"
    recipe = locked.project.read("recipes/tiny.yaml").replace(locked.index.url, nowhere)
    project = copy_tiny(tmp_path / "project", locked.project.program)
    path = project.root / "recipes/tiny.yaml"
    path.write_text(recipe)
    refused = project.run("lock", "tiny")
    assert refused.status == 1
    assert (
        f"error: recipes/tiny.yaml:8:7: the index {nowhere}, which tiny/{CPU} can't be locked "
        "without, is out of reach: "
    ) in refused.err
    assert f"to go on with tiny/{CUDA} alone, add `{SHELF}`" in refused.err
    path.write_text(f"{recipe}{SHELF}\n")
    project.must("lock", "tiny")
    made = [folder.name for folder in (project.root / "images/tiny/variants").iterdir()]
    assert made == [CUDA]
