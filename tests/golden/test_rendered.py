from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from twinforge.api.rendering import render_variants
from twinforge.api.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ROOT = Path(__file__).parents[2]
PROJECTS = Path(__file__).parent / "projects"


def rendered(root: Path) -> dict[str, dict[str, str]]:
    """Return all files of each recipe of a project: recipe -> path below ``variants`` -> text."""
    workspace = Workspace(root, environ={}, engine_dir=root, cache_dir=root)
    # a recipe whose variants are all shelved has no files
    files: dict[str, dict[str, str]] = {one.recipe: {} for one in workspace.project.variants}
    for item in render_variants(workspace, workspace.project.variants):
        for name, text in item.files.items():
            files[item.variant.recipe][f"{item.variant.slug}/{name}"] = text
    return files


@pytest.mark.parametrize("root", [ROOT, *sorted(PROJECTS.iterdir())], ids=lambda path: path.name)
def test_committed_files_are_what_their_sources_say(
    compare_golden: Callable[[Path, Mapping[str, str]], None], root: Path
) -> None:
    for recipe, files in rendered(root).items():
        assert files
        compare_golden(root / "images" / recipe / "variants", files)


def test_no_recipe_has_gone_and_left_its_files() -> None:
    for root in (ROOT, *PROJECTS.iterdir()):
        folders = {path.parent.name for path in (root / "images").glob("*/variants")}
        assert folders == set(rendered(root))


def test_more_big_wheels_than_layers_are_put_together() -> None:
    [files] = rendered(PROJECTS / "many-wheels").values()
    [dockerfile] = (text for name, text in files.items() if name.endswith("/Dockerfile"))
    copies = [
        line
        for line in dockerfile.splitlines()
        if line.startswith("COPY --link --from=wheels-") and "/out/_" not in line
    ]
    assert len(copies) == 40
