from __future__ import annotations

import pytest

from twinforge.errors import SmokeError
from twinforge.smoke.installed import LIST_INSTALLED, compare_installed, parse_installed


def test_equal_packages_are_equal_whatever_the_spelling_of_their_names() -> None:
    installed = [("Scikit_Learn", "1.5.0"), ("PyYAML", "6.0")]
    assert compare_installed({"scikit-learn": "1.5.0", "pyyaml": "6.0"}, installed) == ()


def test_versions_are_compared_as_versions() -> None:
    assert compare_installed({"tzdata": "2025.02"}, [("tzdata", "2025.2")]) == ()


def test_versions_that_are_none_are_compared_as_text() -> None:
    assert compare_installed({"odd": "x-y"}, [("odd", "x-z")]) == ("odd is x-z, locked is x-y",)


def test_a_local_version_is_another_version() -> None:
    assert compare_installed({"torch": "2.5.1"}, [("torch", "2.5.1+cu121")]) == (
        "torch is 2.5.1+cu121, locked is 2.5.1",
    )


def test_every_difference_is_named_and_sorted_by_package() -> None:
    locked = {"numpy": "2.0", "pandas": "2.2", "scipy": "1.14"}
    installed = [("pip", "23.0"), ("numpy", "2.1"), ("scipy", "1.14")]
    assert compare_installed(locked, installed) == (
        "numpy is 2.1, locked is 2.0",
        "pandas 2.2 is missing",
        "pip 23.0 is not in the lock",
    )


def test_a_package_that_is_there_twice_is_a_difference() -> None:
    installed = [("numpy", "2.0"), ("numpy", "2.0")]
    assert compare_installed({"numpy": "2.0"}, installed) == ("numpy is installed 2 times",)


def test_warnings_before_the_list_are_passed_over() -> None:
    assert parse_installed('a warning\n[["numpy", "2.0"]]\n') == (("numpy", "2.0"),)


@pytest.mark.parametrize("output", ["", "Traceback", "[1]", "{}x", "null"])
def test_output_that_is_no_list_is_an_error(output: str) -> None:
    with pytest.raises(SmokeError, match="could not be listed"):
        parse_installed(output)


def test_what_the_images_python_runs_lists_distributions(
    capsys: pytest.CaptureFixture[str],
) -> None:
    exec(compile(LIST_INSTALLED, "<list>", "exec"), {})
    names = {name.lower() for name, _ in parse_installed(capsys.readouterr().out)}
    assert "pytest" in names
