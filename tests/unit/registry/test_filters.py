from __future__ import annotations

import pytest

from twinforge.errors import RegistryError
from twinforge.registry.filters import alias_filters, covers

VERSIONS = ("1.2.0-cpu-py3.11-debian12", "1.2.0-cu129-py3.11-debian12", "key-0123456789abcdef")


def test_the_aliases_of_the_next_version_are_covered_too() -> None:
    filters = alias_filters(
        ["1.2-cpu", "1.2-cuda", "latest-cpu", "latest-cuda"],
        templates=["{major}.{minor}-cpu", "{major}.{minor}-cuda", "latest-cpu", "latest-cuda"],
        immutable=VERSIONS,
    )
    assert filters == ("*.*-cpu", "*.*-cuda", "latest-cpu", "latest-cuda")
    assert covers(filters, "7.3-cpu")
    assert not any(covers(filters, tag) for tag in VERSIONS)


def test_a_template_that_would_free_a_version_tag_is_not_widened() -> None:
    filters = alias_filters(["1.2-cpu"], templates=["{major}.{minor}-cpu"], immutable=["1.2.0-cpu"])
    assert filters == ("1.2-cpu",)


def test_a_template_of_fields_alone_is_not_widened() -> None:
    assert alias_filters(["1.2"], templates=["{version}"]) == ("1.2",)


def test_more_than_five_are_joined_by_what_they_have_in_common() -> None:
    aliases = [f"latest-{name}" for name in ("cpu", "cu118", "cu129", "neuron")]
    filters = alias_filters(["edge", "1.2-cpu", *aliases], immutable=VERSIONS)
    assert len(filters) <= 5
    assert all(covers(filters, alias) for alias in ["edge", "1.2-cpu", *aliases])
    assert not any(covers(filters, tag) for tag in VERSIONS)


def test_too_many_without_anything_in_common_are_an_error() -> None:
    with pytest.raises(RegistryError, match="6 aliases are declared, and ECR takes 5"):
        alias_filters(["a", "b", "c", "d", "e", "f"])


def test_no_alias_needs_no_filter() -> None:
    assert alias_filters([]) == ()


def test_a_dot_is_a_dot_and_a_star_is_anything() -> None:
    assert not covers(["1.2"], "1x2")
    assert covers(["*.2-*"], "1.2-")
