from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import pytest

from twinforge.build import apt as room
from twinforge.build.apt import ContainerApt, parse_installed, parse_versions
from twinforge.engine.engine import Engine
from twinforge.errors import LockError, TwinforgeError
from twinforge.events import Event, State, ignore
from twinforge.lock.locked import BaseLock, Deb
from twinforge.model.matrix import Accelerator, Base
from twinforge.model.place import Place
from twinforge.model.recipe import AptPackage
from twinforge.model.reference import Reference
from twinforge.model.variant import Variant

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

PLACE = Place("matrix.yaml", 1, 1)
ENGINE = Engine("", ours=False, docker="docker", version="26", buildx="0.13", env={"TOKEN": "x"})
BASE = Base("ubuntu-22.04", "ubuntu-22.04", "", Reference.parse("ubuntu:22.04"), PLACE)
VARIANT = Variant(
    "digits",
    "1.0.0",
    (("accelerator", "cpu"),),
    Accelerator("cpu", "", "", (), PLACE),
    BASE,
    "3.10",
)
SIMULATED = """\
Reading package lists...
The following NEW packages will be installed:
  gcc-12-base libgomp1
Inst gcc-12-base [12.2.0-13] (12.2.0-14+deb12u1 Debian:12.12/stable [amd64])
Inst libgomp1 (1:12.2.0-14 Debian:12.12/stable, Debian-Security:12/stable [amd64]) []
Conf gcc-12-base (12.2.0-14+deb12u1 Debian:12.12/stable [amd64])
Inst libaa:i386 (1.0 Debian:12.12/stable [i386])
"""
MADISON = """\
   libgomp1 | 12.2.0-14+deb12u1 | http://m.example/debian-security bookworm-security/main amd64 Packages
   libgomp1 |  12.2.0-14 | http://m.example/debian bookworm/main amd64 Packages
E: No packages found
 gcc-12-base | 12.2.0-14 | http://m.example/debian bookworm/main amd64 Packages
 gcc-12-base | 12.2.0-14 | http://m.example/debian bookworm/main Sources
"""


@dataclass(frozen=True)
class FakeImage:
    platform: str


class FakeImages:
    """Answers each question with the next of ``answers`` and remembers it."""

    answers: list[tuple[int, str]]
    asked: list[dict[str, Any]]
    held: list[str]
    reachable: list[str]
    platform: str

    def __init__(self, engine: Engine) -> None:
        assert engine is ENGINE

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        del details

    def inspect(self, reference: str) -> FakeImage | None:
        return FakeImage(self.platform) if reference in self.held else None

    def pull(self, reference: str, platform: str) -> None:
        type(self).platform = platform
        if reference not in self.reachable:
            message = f"pulling '{reference}': no such host"
            raise TwinforgeError(message)
        self.held.append(reference)

    def run_command(
        self, image: str, argv: Sequence[str], *, env: Mapping[str, str], **options: object
    ) -> tuple[int, str]:
        self.asked.append({"image": image, "words": argv[4:], "env": env, **options})
        return self.answers.pop(0)


@pytest.fixture
def images(monkeypatch: pytest.MonkeyPatch) -> type[FakeImages]:
    FakeImages.answers, FakeImages.asked = [], []
    FakeImages.held, FakeImages.reachable = ["ubuntu:22.04"], []
    FakeImages.platform = "linux/amd64"
    monkeypatch.setattr(room, "Images", FakeImages)
    return FakeImages


@pytest.fixture
def apt(tmp_path: Path) -> ContainerApt:
    lock = BaseLock(BASE.name, "image", "", {}, "no registry answered")
    return ContainerApt({BASE.name: lock}, engine=ENGINE, cache_dir=tmp_path, listener=ignore)


def test_what_would_be_installed_is_read_with_versions_and_sorted() -> None:
    assert parse_installed(SIMULATED) == (
        Deb("gcc-12-base", "12.2.0-14+deb12u1"),
        Deb("libaa:i386", "1.0"),
        Deb("libgomp1", "1:12.2.0-14"),
    )


def test_offered_versions_are_read_once_each_newest_first() -> None:
    assert parse_versions(MADISON) == {
        "libgomp1": ("12.2.0-14+deb12u1", "12.2.0-14"),
        "gcc-12-base": ("12.2.0-14",),
    }


def test_apt_is_asked_once_per_base_and_set_of_packages(
    images: type[FakeImages], apt: ContainerApt
) -> None:
    images.answers = [(0, SIMULATED), (0, "")]
    one = apt.closure(VARIANT, [AptPackage("libgomp1"), AptPackage("curl", "8.0-1")])
    two = apt.closure(VARIANT, [AptPackage("curl", "8.0-1"), AptPackage("libgomp1")])
    other = apt.closure(VARIANT, [AptPackage("git")])
    assert one == two == parse_installed(SIMULATED)
    assert other == ()
    assert [asked["words"] for asked in images.asked] == [["curl=8.0-1", "libgomp1"], ["git"]]
    assert {asked["image"] for asked in images.asked} == {"ubuntu:22.04"}


def test_nothing_to_install_asks_nobody(images: type[FakeImages], apt: ContainerApt) -> None:
    assert apt.closure(VARIANT, []) == ()
    assert images.asked == []


URIS = f"""\
Root http://m.example/debian/
Root http://m.example/debian-security/
Root http://m.example/flat/./
'http://m.example/debian/pool/main/g/gcc-12-base_12.2.0-14%2bdeb12u1_amd64.deb' gcc-12-base_12.2.0-14+deb12u1_amd64.deb 7 SHA256:{"a" * 64}
'http://m.example/debian-security/pool/updates/libgomp1_12.2.0-14_amd64.deb' libgomp1_1%3a12.2.0-14_amd64.deb 7 SHA256:{"b" * 64}
'file:/cdrom/libaa_1.0_i386.deb' libaa_1.0_i386.deb 7 SHA256:{"c" * 64}
"""


def test_each_package_has_its_file_below_the_root_of_the_archive_that_has_it() -> None:
    found = parse_installed(SIMULATED + URIS)
    assert [(deb.name, deb.path, deb.sha256[:1]) for deb in found] == [
        ("gcc-12-base", "pool/main/g/gcc-12-base_12.2.0-14%2bdeb12u1_amd64.deb", "a"),
        ("libaa:i386", "", ""),  # not from an archive that a builder reaches
        ("libgomp1", "pool/updates/libgomp1_12.2.0-14_amd64.deb", "b"),
    ]


def test_an_archive_that_calls_its_files_otherwise_is_asked_by_its_index() -> None:
    said = f"Root http://m/\n'http://m/0a1b.deb' libgomp1_1%3a12.2.0-14_amd64.deb 7 SHA256:{'c' * 64}\n"
    assert Deb("libgomp1", "1:12.2.0-14") in parse_installed(SIMULATED + said)


def test_of_two_architectures_of_one_package_neither_has_a_file() -> None:
    both = "Inst libaa (1.0 Debian [amd64])\nInst libaa:i386 (1.0 Debian [i386])\nRoot http://m/\n"
    for arch in ("amd64", "i386"):
        both += f"'http://m/libaa_1.0_{arch}.deb' libaa_1.0_{arch}.deb 7 SHA256:{'c' * 64}\n"
    assert {deb.path for deb in parse_installed(both)} == {""}


def test_a_container_sees_proxies_and_nothing_else_of_our_environment(
    images: type[FakeImages], apt: ContainerApt
) -> None:
    images.answers = [(0, "")]
    apt.closure(VARIANT, [AptPackage("git")])
    assert images.asked[0]["env"] == {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}


def test_unknown_packages_and_versions_are_all_named(
    images: type[FakeImages], apt: ContainerApt
) -> None:
    images.answers = [(100, MADISON)]
    asked = [AptPackage("nope"), AptPackage("libgomp1", "1.0"), AptPackage("gcc-12-base")]
    with pytest.raises(LockError) as caught:
        apt.closure(VARIANT, asked)
    assert caught.value.message == (
        "the system packages of 'digits/cpu' can't be had on 'ubuntu-22.04': "
        "'libgomp1' has no version '1.0' but 12.2.0-14+deb12u1, 12.2.0-14; "
        "there is no Debian package 'nope'"
    )
    assert "recipes/digits.yaml" in caught.value.hint


def test_packages_that_exclude_each_other_are_told_in_apts_words(
    images: type[FakeImages], apt: ContainerApt
) -> None:
    held = "E: Unable to correct problems, you have held broken packages."
    images.answers = [(100, f"{held}\n{MADISON.replace('E: No packages found', '')}")]
    with pytest.raises(LockError, match="held broken packages"):
        apt.closure(VARIANT, [AptPackage("libgomp1"), AptPackage("gcc-12-base")])


def test_an_archive_out_of_reach_is_not_taken_for_a_missing_package(
    images: type[FakeImages], apt: ContainerApt
) -> None:
    images.answers = [(room.NO_MIRROR, "E: Failed to fetch http://m.example/debian\n")]
    with pytest.raises(LockError, match=r"'ubuntu-22\.04' can't be reached: Failed to fetch"):
        apt.closure(VARIANT, [AptPackage("libgomp1")])


def test_an_image_that_the_engine_lacks_is_pulled_and_asked(
    images: type[FakeImages], apt: ContainerApt
) -> None:
    images.held, images.reachable = [], ["ubuntu:22.04"]
    images.answers = [(0, SIMULATED)]
    assert apt.closure(VARIANT, [AptPackage("libgomp1")]) == parse_installed(SIMULATED)
    assert images.held == ["ubuntu:22.04"]


def test_packages_on_an_image_that_no_registry_has_stay_as_asked_for_and_that_is_told(
    images: type[FakeImages], tmp_path: Path
) -> None:
    images.held = []
    events: list[Event] = []
    apt = ContainerApt({}, engine=ENGINE, cache_dir=tmp_path, listener=events.append)
    asked = [AptPackage("python3.10"), AptPackage("libgomp1")]
    assert apt.closure(VARIANT, asked) == (Deb("libgomp1"), Deb("python3.10"))
    assert images.asked == []
    text = "the Debian packages are not pinned: pulling 'ubuntu:22.04': no such host"
    assert events == [Event("lock", VARIANT.id, State.NOTE, text)]


ARM = replace(VARIANT, values=(*VARIANT.values, ("arch", "arm64")))


def test_apt_is_asked_on_an_image_for_the_cpu_of_the_variant(
    images: type[FakeImages], apt: ContainerApt
) -> None:
    images.reachable = ["ubuntu:22.04"]
    images.answers = [(0, SIMULATED), (0, "")]
    assert apt.closure(VARIANT, [AptPackage("git")]) == parse_installed(SIMULATED)
    assert apt.closure(ARM, [AptPackage("git")]) == ()
    assert [asked["platform"] for asked in images.asked] == ["linux/amd64", "linux/arm64"]
    # the engine held it for amd64 only
    assert images.platform == "linux/arm64"


def test_an_engine_without_an_emulator_leaves_the_packages_as_asked_for(
    images: type[FakeImages], tmp_path: Path
) -> None:
    images.reachable = ["ubuntu:22.04"]
    images.answers = [(255, "exec /usr/bin/sh: exec format error\n")]
    events: list[Event] = []
    apt = ContainerApt({}, engine=ENGINE, cache_dir=tmp_path, listener=events.append)
    assert apt.closure(ARM, [AptPackage("git")]) == (Deb("git"),)
    text = "the Debian packages are not pinned: this engine runs no linux/arm64"
    assert events[-1] == Event("lock", ARM.id, State.NOTE, text)
