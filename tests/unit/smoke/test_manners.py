from __future__ import annotations

import json

from twinforge.smoke.checks.manners import enlarge


def test_lines_get_blank_lines_behind_them() -> None:
    assert enlarge(b"1,2\n", "text/csv", 8) == b"1,2\n\n\n\n\n"


def test_a_document_stays_one() -> None:
    large = enlarge(b"[7]", "application/json", 1000)
    assert (len(large), json.loads(large)) == (1000, [7])


def test_an_empty_body_becomes_a_blank_one() -> None:
    assert enlarge(b"", "image/png", 3) == b"   "
