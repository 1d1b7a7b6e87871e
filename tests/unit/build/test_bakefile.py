from __future__ import annotations

from pathlib import Path

from twinforge.build.bakefile import bake_file
from twinforge.build.buildkit import BuildSpec


def spec(name: str, **contexts: str) -> BuildSpec:
    return BuildSpec(
        name=name,
        folder=Path("/stage/a"),
        contexts=contexts,
        secrets={"ca": Path("/etc/a,b.pem")},
        labels={"io.twinforge.key": "abc"},
        tags=("ml/digits:key-abc", "ml/digits:1"),
        epoch=946684800,
    )


def test_a_build_is_a_target_with_all_that_the_command_line_has() -> None:
    assert bake_file([spec("digits/cpu-py3.11", program="/stage/p")]) == {
        "group": {"default": {"targets": ["digits_cpu-py3_11"]}},
        "target": {
            "digits_cpu-py3_11": {
                "description": "digits/cpu-py3.11",
                "context": "/stage/a",
                "dockerfile": "Dockerfile",
                "contexts": {"program": "/stage/p"},
                "args": {"SOURCE_DATE_EPOCH": "946684800"},
                "labels": {"io.twinforge.key": "abc"},
                "tags": ["ml/digits:key-abc", "ml/digits:1"],
                "secret": ['id=ca,"src=/etc/a,b.pem"'],
                "platforms": ["linux/amd64"],
                "attest": ["type=provenance,disabled=true", "type=sbom,disabled=true"],
                "output": ["type=docker"],
            }
        },
    }


def test_variants_whose_names_differ_by_a_dot_are_two_targets() -> None:
    made = bake_file([spec("d/py3.1"), spec("d/py3_1"), spec("d_py3_1")])
    assert made["group"] == {"default": {"targets": ["d_py3_1", "d_py3_1_2", "d_py3_1_3"]}}


def test_what_bake_would_take_for_a_variable_is_text() -> None:
    made = bake_file([spec("d/cpu", program="/a${HOME}%{if}")])
    target = made["target"]
    assert isinstance(target, dict)
    assert target["d_cpu"]["contexts"] == {"program": "/a$${HOME}%%{if}"}
