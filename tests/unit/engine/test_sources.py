from __future__ import annotations

import pytest

from twinforge.engine.sources import (
    AptEntry,
    find_main_archive,
    parse_deb822,
    parse_one_line,
    render_entry,
    render_pins,
)

DEB822 = """\
# the archive
Types: deb deb-src
URIs: http://mirror.example/debian
 https://other.example/debian/
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Enabled: no
Types: deb
URIs: http://off.example/debian
Suites: bookworm
Components: main

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mDMEXEMPLARY
 -----END PGP PUBLIC KEY BLOCK-----
"""


def entry(uri: str, *suites: str, signed_by: str = "") -> AptEntry:
    options = {"signed-by": signed_by} if signed_by else {}
    return AptEntry(("deb",), (uri,), suites, ("main",), options)


def test_a_deb822_file_gives_its_enabled_entries_with_all_their_lines() -> None:
    first, second = parse_deb822(DEB822)
    assert first.types == ("deb", "deb-src")
    assert first.uris == ("http://mirror.example/debian", "https://other.example/debian/")
    assert first.suites == ("bookworm", "bookworm-updates")
    assert first.components == ("main", "contrib")
    assert first.options == {"signed-by": "/usr/share/keyrings/debian-archive-keyring.gpg"}
    assert second.options["signed-by"].splitlines()[3] == " mDMEXEMPLARY"


def test_a_one_line_file_gives_its_entries_with_options_under_their_deb822_names() -> None:
    text = """\
# deb http://commented.example/debian bookworm main
deb [arch=amd64,arm64 signed-by=/k.gpg trusted=yes] http://a.example/debian bookworm main contrib
deb-src http://a.example/debian bookworm main # sources
deb cdrom
nonsense
"""
    first, second = parse_one_line(text)
    assert first == AptEntry(
        ("deb",),
        ("http://a.example/debian",),
        ("bookworm",),
        ("main", "contrib"),
        {"architectures": "amd64 arm64", "signed-by": "/k.gpg", "trusted": "yes"},
    )
    assert second.types == ("deb-src",)


@pytest.mark.parametrize(
    "archive",
    [
        entry("http://mirror.example/debian", "bookworm"),
        entry("http://mirror.example/debian/", "bookworm"),
        entry("mirror+file:/etc/apt/mirrors/debian.list", "bookworm"),
        entry("http://dated.example/archive/debian/20250520T000000Z", "bookworm"),
        entry("http://proxy.example/remote", "bookworm", "bookworm-updates"),
        entry("http://proxy.example/r", "bookworm", signed_by="/k/debian-archive-keyring.gpg"),
    ],
)
def test_the_main_archive_is_preferred_to_a_vendor_with_the_same_suite(archive: AptEntry) -> None:
    vendor = entry("https://apt.vendor.example", "bookworm", signed_by="/k/vendor.gpg")
    security = entry("http://mirror.example/debian-security", "bookworm-security")
    assert find_main_archive([vendor, security, archive], "bookworm") is archive


def test_a_plain_mirror_is_the_main_archive_when_nothing_else_has_the_suite() -> None:
    only = entry("http://proxy.example/remote", "bookworm")
    assert find_main_archive([only], "bookworm") is only


def test_two_entries_of_which_nothing_speaks_for_either_are_not_guessed_from() -> None:
    entries = [entry("http://a.example/x", "bookworm"), entry("http://b.example/y", "bookworm")]
    assert find_main_archive(entries, "bookworm") is None


def test_another_release_or_a_source_entry_is_not_the_main_archive() -> None:
    sources = AptEntry(("deb-src",), ("http://a.example/debian",), ("bookworm",), ("main",), {})
    assert find_main_archive([entry("http://a.example/debian", "sid"), sources], "bookworm") is None


def test_the_next_release_is_reached_with_the_keys_and_options_of_this_one() -> None:
    text = render_entry(parse_deb822(DEB822)[0], suite="trixie")
    assert text == (
        "Types: deb\n"
        "Uris: http://mirror.example/debian https://other.example/debian/\n"
        "Suites: trixie\n"
        "Components: main\n"
        "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n"
    )
    embedded = parse_deb822(DEB822)[1]
    again = parse_deb822(render_entry(embedded, suite="trixie"))
    assert again[0].options == embedded.options


def test_the_pins_let_nothing_else_in() -> None:
    assert render_pins(["docker.io", "docker-buildx"], codename="trixie") == (
        "Package: docker.io docker-buildx\nPin: release n=trixie\nPin-Priority: 990\n\n"
        "Package: *\nPin: release n=trixie\nPin-Priority: -1\n"
    )
