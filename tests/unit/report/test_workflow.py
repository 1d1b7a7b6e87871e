from __future__ import annotations

import json
from dataclasses import replace

import pytest

from twinforge.errors import UsageError
from twinforge.model.matrix import Accelerator, Base, Bootstrap
from twinforge.model.place import Place
from twinforge.model.variant import Variant
from twinforge.report.workflow import MAX_JOBS, workflow_matrix

PLACE = Place("matrix.yaml", 1, 1)
VARIANT = Variant(
    "digits",
    "1.0.0",
    (("accelerator", "cpu"), ("python", "3.10"), ("os", "debian-12")),
    Accelerator("cpu", "", "", (), PLACE),
    Base("debian-12", "debian-12", "", Bootstrap("bookworm", "", ()), PLACE),
    "3.10",
    derived=(("line", "none"),),
)


def test_an_entry_holds_texts_only_and_python_stays_what_it_is() -> None:
    text = workflow_matrix([VARIANT], {VARIANT.id: ("pr", "nightly")})
    assert json.loads(text) == {
        "include": [
            {
                "variant": "digits/cpu-py3.10-debian12",
                "recipe": "digits",
                "tag": "1.0.0-cpu-py3.10-debian12",
                "groups": "pr nightly",
                "accelerator": "cpu",
                "python": "3.10",
                "os": "debian-12",
                "line": "none",
            }
        ]
    }
    assert "\n" not in text


def test_no_variant_is_an_empty_list_that_a_workflow_can_ask_for() -> None:
    assert workflow_matrix([], {}) == '{"include":[]}'


def test_more_variants_than_jobs_are_refused_with_what_to_do() -> None:
    assert MAX_JOBS == 256
    assert len(json.loads(workflow_matrix([VARIANT] * 256, {}))["include"]) == 256
    with pytest.raises(UsageError) as caught:
        workflow_matrix([VARIANT] * 257, {})
    assert caught.value.message == "257 variants are more than the 256 jobs of a workflow matrix"
    assert "sample: pairwise" in caught.value.hint


@pytest.mark.parametrize("name", ["variant", "tag", "groups"])
def test_an_axis_that_would_hide_a_key_is_refused(name: str) -> None:
    hidden = replace(VARIANT, values=(*VARIANT.values, (name, "x")))
    with pytest.raises(UsageError, match=f"the axis '{name}' can't be in a workflow matrix"):
        workflow_matrix([hidden], {})
