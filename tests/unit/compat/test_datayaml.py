from __future__ import annotations

from importlib.resources import files

import pytest
import yaml

from twinforge.compat.datayaml import read_data

DATA = files("twinforge.compat") / "data"
FRAMEWORKS = DATA / "frameworks"


@pytest.mark.parametrize(
    "text",
    [
        *(
            entry.read_text("utf-8")
            for folder in (DATA, FRAMEWORKS)
            for entry in folder.iterdir()
            if entry.name.endswith(".yaml")
        ),
        (files("twinforge.smoke") / "data" / "contract.yaml").read_text("utf-8"),
    ],
)
def test_the_files_that_come_with_twinforge_are_read_as_pyyaml_reads_them(text: str) -> None:
    found, expected = read_data(text), yaml.safe_load(text)
    assert found == expected
    assert repr(found) == repr(expected)  # True is not 1, and keys have an order


@pytest.mark.parametrize(
    "text",
    [
        "{a: yes, b: no, c: ~, d: null, e: true, f: 'true', g: \"1\"}",
        "{a: 010, b: 0x1f, c: 1_000, d: 1:30, e: 1e3, f: 1.5e3, g: .inf, h: '1'}",
        "{a: 2026-11-22, b: '2026-11-22', c: 2026-11-22T10:00:00Z}",
        "{1: a, true: b, ~: c, 2026-11-22: d}",
        "a: 1\na: 2\n",
        "a: >\n  folded\n  text\n\nb: |\n  as it\n  stands\nc: plain\n  on two lines\n",
        "[]",
        "just text",
        "1",
        "",
        "# a comment\n",
        "--- {a: 1}\n...\n",
        # what is left to PyYAML
        "{a: &x [1], b: *x}",
        "{a: &x 1, b: *x}",
        "{<<: {a: 1}, b: 2}",
        "{a: !!str 1, b: ! 2, c: !!set {x}}",
        "{? !!str 1 : 3}",
    ],
)
def test_every_kind_of_value_is_what_pyyaml_makes_of_it(text: str) -> None:
    assert repr(read_data(text)) == repr(yaml.safe_load(text))


@pytest.mark.parametrize(
    "text",
    ["a: [", "a: 1\n---\nb: 2\n", "{[a]: 1}", "a: !own 1", "a: *nothing", "a:\n\t- 1", "{a: =}"],
)
def test_what_pyyaml_refuses_is_refused(text: str) -> None:
    with pytest.raises(yaml.YAMLError):
        yaml.safe_load(text)
    with pytest.raises(yaml.YAMLError):
        read_data(text)


def test_a_value_of_one_place_is_not_shared_with_another() -> None:
    found = read_data("{a: [x], b: [x]}")
    assert isinstance(found, dict)
    found["a"].append("y")
    assert found["b"] == ["x"]
