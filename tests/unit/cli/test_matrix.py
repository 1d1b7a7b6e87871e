from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Run
    from tests.unit.world import World

CPU, CUDA, OTHER = (
    "words/cpu-debian12-py3.11",
    "words/cu129-debian12-py3.11",
    "other/cpu-debian12-py3.11",
)
GROUPS = (
    "groups: {default: {recipe: words}, gpu: {when: kind == cuda}}\n"
    "derive: {line: {from: accelerator, map: {cu129: new}, default: none}}\nregistry:"
)


def test_the_table_has_axes_groups_and_tags_of_all_variants(run: Run, world: World) -> None:
    world.edit("matrix.yaml", "registry:", GROUPS)
    ran = run("matrix")
    assert ran.status == 0
    assert [line.split() for line in ran.out.splitlines()] == [
        ["VARIANT", "ACCELERATOR", "OS", "PYTHON", "LINE", "GROUPS", "TAGS"],
        [OTHER, "cpu", "debian-12", "3.11", "none", "-", "2.0.0-cpu-debian12-py3.11"],
        [
            *(CPU, "cpu", "debian-12", "3.11", "none", "default"),
            *("1.0.0-cpu-debian12-py3.11,", "latest-cpu"),
        ],
        [
            *(CUDA, "cu129", "debian-12", "3.11", "new", "default,", "gpu"),
            "1.0.0-cu129-debian12-py3.11",
        ],
    ]
    assert ran.err == "# 1 excluded; `twinforge matrix --excluded` shows them\n"
    assert run("--quiet", "matrix").err == ""


def test_a_variant_in_json_has_all_that_is_known_of_it(run: Run, world: World) -> None:
    world.edit(
        "recipes/words.yaml",
        "program: program\n",
        "program: program\noverrides:\n  - {when: kind == cuda, env: {A: b}}\n",
    )
    world.edit("matrix.yaml", "registry:", GROUPS)
    (found,) = json.loads(run("matrix", ":gpu", "--json").out)
    assert found == {
        "variant": CUDA,
        "recipe": "words",
        "values": {"accelerator": "cu129", "os": "debian-12", "python": "3.11"},
        "derived": {"line": "new"},
        "groups": ["default", "gpu"],
        "tag": "1.0.0-cu129-debian12-py3.11",
        "aliases": [],
        "base": "debian-12",
        "cuda": "12.9",
        "cudnn": "",
        "overrides": ["recipes/words.yaml:6:5"],
    }


def test_what_is_excluded_tells_the_rule(run: Run, world: World) -> None:
    assert len(world.variants()) == 3
    name = "other/cu129-debian12-py3.11"
    assert run("matrix", "--excluded").out.split() == [
        *("EXCLUDED", "RULE"),
        *(name, "matrix.yaml:10:11"),
    ]
    expected = [{"variant": name, "rule": "matrix.yaml:10:11"}]
    for pattern in ("other", "o*", name, "*/cu129-*"):
        assert json.loads(run("matrix", pattern, "--excluded", "--json").out) == expected
    ran = run("matrix", "other/cu128-debian12-py3.11", "--excluded")
    assert ran.status == 2
    assert ran.err == (
        "error: the selector 'other/cu128-debian12-py3.11' matches nothing that is excluded\n"
        f"hint: did you mean '{name}'?\n"
    )


def test_a_workflow_matrix_is_one_line(run: Run, world: World) -> None:
    assert len(world.variants()) == 3
    ran = run("matrix", "words", "--github")
    assert ran.out.count("\n") == 1
    entries = json.loads(ran.out)["include"]
    assert [entry["variant"] for entry in entries] == [CPU, CUDA]


def test_a_workflow_matrix_of_too_many_is_refused(run: Run, world: World) -> None:
    tiers = ", ".join(f"t{number}" for number in range(100))
    world.edit("matrix.yaml", "exclude:", f"  tier: [{tiers}]\nexclude:")
    world.edit("matrix.yaml", "aliases: {latest-cpu: {recipe: words, accelerator: cpu}}\n", "")
    ran = run("matrix", "--github")
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith("error: 300 variants are more than the 256 jobs")
    assert len(json.loads(run("matrix", "words", "--github").out)["include"]) == 200


def test_a_bake_file_has_a_target_for_each_variant(run: Run, world: World) -> None:
    assert len(world.variants()) == 3
    made = json.loads(run("matrix", "--bake").out)
    names = [
        "other_cpu-debian12-py3_11",
        "words_cpu-debian12-py3_11",
        "words_cu129-debian12-py3_11",
    ]
    assert made["group"]["default"]["targets"] == names
    assert [target["description"] for target in made["target"].values()] == [OTHER, CPU, CUDA]
    assert world.buildx.specs == []


@pytest.mark.parametrize(
    "options", [("--json", "--github"), ("--github", "--bake"), ("--excluded", "--bake")]
)
def test_one_form_at_a_time(run: Run, world: World, options: tuple[str, str]) -> None:
    assert len(world.variants()) == 3
    ran = run("matrix", *options)
    assert ran.status == 2
    assert "one form each" in ran.err


def test_a_build_of_what_changed_asks_git_each_time(
    run: Run, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def changed(_: object, revision: str) -> frozenset[str]:
        asked.append(revision)
        return frozenset({CPU})

    assert len(world.variants()) == 3
    monkeypatch.setattr("twinforge.api.changes.changed_since", changed)
    assert run("build").status == 0
    for _ in range(2):
        ran = run("build", "changed-since=main")
        assert (ran.status, CPU in ran.out, CUDA in ran.out) == (0, True, False)
    assert asked == ["main", "main"]
