"""What asks for something without a wheel, as an index and uv told it."""

from __future__ import annotations

import pytest

from twinforge.compat.wheelless import missing_wheels


@pytest.mark.parametrize(
    ("package", "version", "python", "lacking"),
    [
        # uv: html5lib==0.9999999 has no usable wheels and tensorboard==1.6.0 depends on it
        ("tensorflow", "1.6.0", "3.6", ["html5lib==0.9999999"]),
        ("tensorflow-gpu", "1.8.0", "3.5", ["html5lib==0.9999999"]),
        ("tensorflow", "1.1.0", "3.6", []),
        # "Because termcolor==1.1.0 has no usable wheels"; termcolor 2 needs Python 3.7
        ("tensorflow", "1.14.0", "3.6", ["termcolor>=1.1"]),
        ("tensorflow", "1.14.0", "3.7", []),
        ("tensorflow", "2.2.0", "3.8", []),
        ("tensorflow", "2.4.4", "3.8", ["termcolor==1.1.0"]),
        ("keras", "2.1.5", "3.5", ["pyyaml"]),
        ("keras", "2.1.5", "3.6", []),
        ("numpy", "1.0", "3.5", []),
    ],
)
def test_what_has_no_wheel_is_told_for_the_versions_and_pythons_that_lack_it(
    package: str, version: str, python: str, lacking: list[str]
) -> None:
    facts = list(missing_wheels(package, version, python))
    assert [next(one for one in lacking if one in fact.text) for fact in facts] == lacking
    assert all(fact.sources and f"{package} {version} asks" in fact.text for fact in facts)
