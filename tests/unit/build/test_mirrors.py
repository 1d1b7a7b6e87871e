from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from twinforge.build.mirrors import (
    DEBIAN,
    UBUNTU,
    Mirrors,
    distribution_of,
    parse_mirrors,
    read_mirrors,
    render_sources,
)

if TYPE_CHECKING:
    from pathlib import Path

DEB822 = """\
Types: deb
# a comment
URIs: http://mirror.example/debian/
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
"""
ONE_LINE = """\
deb [arch=amd64] https://mirror.example/debian bookworm main contrib # ours
deb-src https://sources.example/debian bookworm main
deb https://mirror.example/debian-security bookworm-security main
"""


def test_components_of_a_base_stand_in_every_line_of_its_sources() -> None:
    mirrors = Mirrors("http://m.example/debian", "http://m.example/debian-security")
    lines = render_sources(
        DEBIAN, "bookworm", snapshot="", mirrors=mirrors, components=("main", "non-free")
    )
    assert [line.rpartition("/")[2].split()[1:] for line in lines] == [
        ["bookworm", "main", "non-free"],
        ["bookworm-updates", "main", "non-free"],
        ["bookworm-security", "main", "non-free"],
    ]


@pytest.mark.parametrize(
    ("text", "scheme"),
    [(DEB822, "http"), (ONE_LINE, "https"), (f"{DEB822}\n\n{ONE_LINE}", "https")],
)
def test_mirrors_are_read_in_both_formats(text: str, scheme: str) -> None:
    root = f"{scheme}://mirror.example"
    assert parse_mirrors(DEBIAN, text) == Mirrors(f"{root}/debian", f"{root}/debian-security")


def test_another_vendors_archive_for_the_same_suite_is_not_taken_for_the_distributions() -> None:
    other = (
        "deb https://vendor.example bookworm main\ndeb https://vendor.example/linux bookworm main\n"
    )
    assert parse_mirrors(DEBIAN, other) is None
    found = parse_mirrors(DEBIAN, other + ONE_LINE)
    assert found is not None
    assert found.archive == "https://mirror.example/debian"


@pytest.mark.parametrize(
    "line",
    [
        "deb http://user:secret@mirror.example/debian bookworm main",
        "deb file:///srv/debian bookworm main",
        "deb http://mirror.example/debian bookworm contrib",
    ],
)
def test_what_must_not_get_into_a_base_is_not_a_mirror(line: str) -> None:
    assert parse_mirrors(DEBIAN, line) is None


def test_two_spellings_of_the_security_archive_make_the_same_base() -> None:
    lines = "deb http://deb.d.example/debian bookworm main\n"
    one = parse_mirrors(DEBIAN, f"{lines}deb http://deb.d.example/debian-security b-security main")
    two = parse_mirrors(
        DEBIAN, f"{lines}deb http://security.d.example/debian-security b-security main"
    )
    assert one == two


def test_ubuntus_security_updates_may_come_from_its_main_archive() -> None:
    text = "deb http://mirror.example/ubuntu jammy main\ndeb http://mirror.example/ubuntu jammy-security main\n"
    expected = Mirrors("http://mirror.example/ubuntu", "http://mirror.example/ubuntu")
    assert parse_mirrors(UBUNTU, text) == expected
    assert parse_mirrors(DEBIAN, text) is None


def test_only_files_that_apt_reads_are_read(tmp_path: Path) -> None:
    parts = tmp_path / "apt" / "sources.list.d"
    parts.mkdir(parents=True)
    (parts / "debian.sources.disabled").write_text(DEB822)
    assert read_mirrors(DEBIAN, tmp_path) is None
    (parts / "debian.sources").write_text(DEB822)
    assert read_mirrors(DEBIAN, tmp_path) == parse_mirrors(DEBIAN, DEB822)


def test_a_base_keeps_its_updates_and_security_updates() -> None:
    mirrors = Mirrors("http://m.example/debian", "http://m.example/debian-security")
    signed = f"[signed-by={DEBIAN.keyring}]"
    assert render_sources(DEBIAN, "bookworm", snapshot="", mirrors=mirrors) == (
        f"deb {signed} http://m.example/debian bookworm main",
        f"deb {signed} http://m.example/debian bookworm-updates main",
        f"deb {signed} http://m.example/debian-security bookworm-security main",
    )
    assert len(render_sources(DEBIAN, "sid", snapshot="", mirrors=mirrors)) == 1
    assert render_sources(DEBIAN, "bookworm", snapshot="", mirrors=None) == ()


def test_a_snapshot_takes_the_dated_archive_and_not_the_machines_mirror() -> None:
    mirrors = Mirrors("http://m.example/debian", "http://m.example/debian-security")
    lines = render_sources(DEBIAN, "bookworm", snapshot="20260101T000000Z", mirrors=mirrors)
    assert len(lines) == 3
    assert all("/20260101T000000Z " in line for line in lines)
    assert all("check-valid-until=no" in line for line in lines)
    assert not any("m.example" in line for line in lines)
    assert "/archive/debian-security/" in lines[2]
    ubuntu = render_sources(UBUNTU, "jammy", snapshot="20260101T000000Z", mirrors=None)
    assert all("/ubuntu/20260101T000000Z " in line for line in ubuntu)


def test_a_suite_knows_its_distribution() -> None:
    assert distribution_of("noble") is UBUNTU
    assert distribution_of("trixie") is DEBIAN
