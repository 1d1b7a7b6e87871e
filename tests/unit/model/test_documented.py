"""The project that ``docs/matrix.md`` shows is one, and comes to what the text says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from twinforge.model.load import load_project
from twinforge.model.select import select_variants

if TYPE_CHECKING:
    from twinforge.model.project import Project

PAGE = (Path(__file__).parents[3] / "docs/matrix.md").read_text("utf-8")
FILE = re.compile(r"^```yaml\n# (?P<path>\S+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
SELECTOR_ROW = re.compile(r"^\| (?P<selectors>`.+?`) \|", re.MULTILINE)


@pytest.fixture(scope="module")
def documented(tmp_path_factory: pytest.TempPathFactory) -> Project:
    root = tmp_path_factory.mktemp("documented")
    (root / "recipes").mkdir()
    (root / "program").mkdir()
    for name in ("train", "serve"):
        (root / "program" / name).write_text("#!/bin/sh\n")
        (root / "program" / name).chmod(0o755)
    for block in FILE.finditer(PAGE):
        (root / block["path"]).write_text(block["text"])
    return load_project(root)


def test_the_documented_project_loads(documented: Project) -> None:
    assert [recipe.name for recipe in documented.recipes] == ["digits-slim", "digits"]
    assert [one.id for one in documented.variants] == [
        "digits-slim/cpu-debian12-py3.11-slim",
        "digits-slim/cpu-debian12-py3.11-tiny",
        "digits-slim/cpu-debian12-py3.12-slim",
        "digits-slim/cpu-debian12-py3.12-tiny",
        "digits/cpu-debian12-py3.11",
        "digits/cpu-debian12-py3.12",
        "digits/cu118-debian12-py3.11",
        "digits/cu124-debian12-py3.11",
        "digits/cu124-debian12-py3.12",
        "digits/cu124-debian13-py3.13",
    ]
    assert [cell.id for cell in documented.excluded] == ["digits/cu118-debian12-py3.12"]


def test_the_documented_overrides_do_what_is_said(documented: Project) -> None:
    variants = {one.id: one for one in documented.variants}

    def level(name: str) -> str:
        return documented.recipe_for(variants[name]).env["LEVEL"]

    assert level("digits/cpu-debian12-py3.11") == "1"
    assert level("digits/cu124-debian12-py3.11") == "2"
    assert level("digits/cu124-debian12-py3.12") == "1"
    assert level("digits-slim/cpu-debian12-py3.12-tiny") == "0"
    included = documented.recipe_for(variants["digits/cu124-debian13-py3.13"])
    assert included.env == {"LEVEL": "2", "MALLOC_ARENA_MAX": "2"}
    assert included.smoke.startup_s == 120
    assert len(included.packages) == 3
    assert included.homes == {}
    cpu = documented.recipe_for(variants["digits/cpu-debian12-py3.12"])
    assert cpu.homes == {"torch": "https://download.pytorch.org/whl/cpu"}


def test_every_documented_selector_names_something(documented: Project) -> None:
    table = PAGE.partition("## Selectors")[2].partition("## Forms")[0]
    rows = [match["selectors"] for match in SELECTOR_ROW.finditer(table)]
    selectors = [word for row in rows for word in re.findall(r"`([^`]+)`", row)]
    assert len(selectors) == 9
    for selector in selectors:
        assert select_variants(
            documented, [selector], changed=lambda _: [documented.variants[0].id]
        )
