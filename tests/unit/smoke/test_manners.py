from __future__ import annotations

import json

import pytest

from twinforge.smoke.checks.manners import enlarge


@pytest.mark.parametrize("body", [b"1,2\n", b"1,2"])
def test_lines_are_repeated_up_to_the_size(body: bytes) -> None:
    assert enlarge(body, "text/csv", 10) == b"1,2\n1,2\n1,"


def test_a_document_stays_one() -> None:
    large = enlarge(b"[7]", "application/json", 1000)
    assert (len(large), json.loads(large)) == (1000, [7])


def test_an_empty_body_becomes_a_blank_one() -> None:
    assert enlarge(b"", "text/csv", 3) == b"   "
