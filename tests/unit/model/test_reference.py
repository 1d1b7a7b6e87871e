from __future__ import annotations

import pytest

from twinforge.model.reference import Digest, Reference

HEX = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "host", "repository", "tag"),
    [
        ("debian", "", "debian", ""),
        ("debian:12", "", "debian", "12"),
        ("nvidia/cuda:11.8.0-base-ubuntu22.04", "", "nvidia/cuda", "11.8.0-base-ubuntu22.04"),
        ("localhost/a", "localhost", "a", ""),
        ("localhost:5000/a/b:c", "localhost:5000", "a/b", "c"),
        ("registry.example.com/a__b/c-d.e", "registry.example.com", "a__b/c-d.e", ""),
        ("[::1]:5000/a", "[::1]:5000", "a", ""),
    ],
)
def test_a_reference_is_taken_apart_and_put_together(
    text: str, host: str, repository: str, tag: str
) -> None:
    reference = Reference.parse(text)
    assert reference == Reference(host, repository, tag)
    assert str(reference) == text


def test_a_reference_may_be_pinned() -> None:
    text = f"debian:12@sha256:{HEX}"
    reference = Reference.parse(text)
    assert reference.digest == Digest(HEX)
    assert str(reference) == text
    assert str(reference.with_tag("13")) == "debian:13"
    assert str(Reference.parse("debian:12").with_digest(Digest(HEX))) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Debian",
        "debian:",
        "debian:-x",
        "debian:" + "x" * 129,
        "a//b",
        "/a",
        "a b",
        "bad_host.com/a",
        "debian\n",
        "debian:12\n",
        "debian@sha256:12",
        f"debian@sha512:{HEX}",
        f"debian@{HEX}",
    ],
)
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not"):
        Reference.parse(text)


@pytest.mark.parametrize("text", ["a:{}", "a@{}", "A{}", "bad_host.com{}/a"])
def test_a_refusal_is_one_short_line_whatever_was_given(text: str) -> None:
    with pytest.raises(ValueError, match="is not") as caught:
        Reference.parse(text.format("\x1b" * 5000))
    assert len(str(caught.value)) < 500
    assert str(caught.value).isprintable()


def test_a_digest_is_shown_short_as_docker_does() -> None:
    digest = Digest.parse(f"sha256:{HEX}")
    assert digest.short == HEX[:12]
    assert str(digest) == f"sha256:{HEX}"
