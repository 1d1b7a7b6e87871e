from __future__ import annotations

import pytest

from twinforge.model.suggest import closest, known_or_close, likely_slip


def test_capital_letters_do_not_hide_what_was_meant() -> None:
    assert closest("PYTHON", ["python", "os"]) == "python"


def test_nothing_is_suggested_for_a_word_that_is_like_none() -> None:
    assert closest("zzz", ["python", "os"]) == ""


def test_a_long_text_is_not_compared() -> None:
    assert closest("a" * 10_000, ["a" * 10_000]) == ""


def test_a_long_list_is_cut() -> None:
    shown = known_or_close("zzz", [f"word{index}" for index in range(11)])
    assert shown.endswith("'word9', ...")


def test_nothing_is_said_where_nothing_is_known() -> None:
    assert known_or_close("zzz", []) == ""


INSTALLED = ["nvidia-cublas-cu12", "nvidia-cudnn-cu12", "nvidia-nccl-cu12", "scikit-learn", "six"]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("nvidia-cublas-cu11", "nvidia-cublas-cu12"),
        ("nvidia-cubals-cu12", ""),  # two letters of six
        ("nvidia-cublass-cu12", "nvidia-cublas-cu12"),
        ("scikitlearn", "scikit-learn"),
        ("sixx", "six"),
        # of the same family, and something else
        ("nvidia-cusparse-cu12", ""),
        ("nvidia-cufft-cu12", ""),
        ("nvidia-nvtx-cu12", ""),
        ("pip", ""),
    ],
)
def test_a_neighbour_of_the_same_family_is_not_what_was_meant(name: str, meant: str) -> None:
    assert likely_slip(name, INSTALLED) == meant
