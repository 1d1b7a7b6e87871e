from __future__ import annotations

from typing import Any

import pytest

from twinforge.errors import TwinforgeError, UsageError
from twinforge.sagemaker.local.jsonpath import parse_path

ROW = [10, 11, 12, 13, 14, 15]
RECORD = {"id": 7, "features": {"a": [1, 2], "b": [3]}, "SageMakerOutput": {"label": 1}}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("$", ROW),
        ("$[1:]", [11, 12, 13, 14, 15]),
        ("$[:2]", [10, 11]),
        ("$[2:5]", [12, 13, 14]),
        ("$[-2:]", [14, 15]),
        ("$[1]", 11),
        ("$[-1]", 15),
        ("$[0,-1]", [10, 15]),
        ("$[1, 3, 5]", [11, 13, 15]),
        ("$[0,5:]", [10, 15]),
        ("$[*]", ROW),
    ],
)
def test_a_row_is_a_list(path: str, found: Any) -> None:
    assert parse_path(path).select(ROW) == found


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("$", RECORD),
        ("$.id", 7),
        ("$['id']", 7),
        ("$.features", {"a": [1, 2], "b": [3]}),
        ("$.features.*", [[1, 2], [3]]),
        ("$.features.a[1]", 2),
        ("$.features.*[0]", [1, 3]),
        ("$['id','SageMakerOutput']", {"id": 7, "SageMakerOutput": {"label": 1}}),
        ("$.features.['a','b']", {"a": [1, 2], "b": [3]}),
        ("$.features['a','b'][0]", [1, 3]),
        ("$.SageMakerOutput.label", 1),
    ],
)
def test_an_object_has_attributes(path: str, found: Any) -> None:
    assert parse_path(path).select(RECORD) == found


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("$[6]", "no index 6 in 6 elements"),
        ("$[-7]", "no index -7 in 6 elements"),
        ("$[0,6]", "no index 6"),
        ("$[6:]", "finds nothing"),
        ("$.id", "no attribute 'id' in what is no object"),
    ],
)
def test_what_is_not_there_is_an_error(path: str, said: str) -> None:
    with pytest.raises(TwinforgeError, match=said):
        parse_path(path).select(ROW)
    with pytest.raises(TwinforgeError, match="no attribute 'idd' in what is an object"):
        parse_path("$.idd").select(RECORD)
    with pytest.raises(TwinforgeError, match="no list to take an index of"):
        parse_path("$[0]").select(RECORD)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("$['account_id']", "holds '_'"),  # as the service says
        ("$[?(@.a)]", r"holds '\?'"),
        ("$..a(", r"holds '\('"),
        ("id", "does not begin with"),
        ("", "does not begin with"),
        ("$..a", r'not understood from "..a" on'),
        ("$[", r'not understood from "\[" on'),
        ("$[]", r'not understood from "\[\]" on'),
        ("$[1:2:3]", "not understood"),
        ("$['a'", "not understood"),
        ("$id", "not understood"),
        ("$[0:2,4:]", "only single range filters"),
    ],
)
def test_what_the_service_does_not_know_is_refused(path: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse_path(path)


def test_whether_the_end_of_a_range_is_named_is_known() -> None:
    assert parse_path("$[1:4]").has_end
    assert parse_path("$.a[:4]").has_end
    assert not parse_path("$[1:]").has_end
    assert not parse_path("$[0,-1].a").has_end
