from __future__ import annotations

import pytest

from tests.unit.smoke.elves import SITE, Elf, debian, image, tar, wheel
from twinforge.errors import SmokeError
from twinforge.smoke.elf.owners import NOBODY, Owner, find_owners
from twinforge.smoke.elf.tree import read_tree
from twinforge.smoke.stream import as_stream


def test_binaries_are_read_and_other_files_are_only_measured() -> None:
    tree = image({"/usr/lib/libone.so.1": Elf(soname="libone.so.1"), "/etc/motd": b"hello"})
    assert tree.elves["/usr/lib/libone.so.1"].soname == "libone.so.1"
    assert tree.sizes["/etc/motd"] == 5
    assert "/etc/motd" not in tree.elves
    assert "/etc/motd" not in tree.texts


def test_a_binary_that_makes_no_sense_is_noted() -> None:
    tree = image({"/usr/lib/libone.so": b"\x7fELFrubbish"})
    assert set(tree.broken) == {"/usr/lib/libone.so"}


def test_a_stream_in_chunks_of_any_size_is_read() -> None:
    whole = tar({"/usr/lib/libone.so.1": Elf(soname="libone.so.1"), "/etc/ld.so.conf": b"/opt\n"})
    for size in (1, 7, 511, 512, 100_000):
        chunks = (whole[place : place + size] for place in range(0, len(whole), size))
        tree = read_tree(as_stream(chunks))
        assert tree.elves["/usr/lib/libone.so.1"].soname == "libone.so.1"
        assert tree.texts["/etc/ld.so.conf"] == b"/opt\n"


@pytest.mark.parametrize("kept", [1, 700])
def test_a_stream_that_ends_early_is_refused(kept: int) -> None:
    whole = tar({"/etc/motd": b"x" * 1000})
    with pytest.raises(SmokeError, match="the image's files can't be read"):
        read_tree(as_stream([whole[:kept]]))


def test_links_are_followed_inside_the_image_only() -> None:
    tree = image(
        {"/usr/lib/libone.so.1.2": Elf(), "/etc/passwd": b"root"},
        {
            "/lib": "usr/lib",
            "/usr/lib/libone.so.1": "libone.so.1.2",
            "/opt/one.so": "/lib/libone.so.1",
            "/opt/out": "../../../../../../etc/passwd",
            "/opt/nowhere": "gone",
            "/opt/round": "round",
        },
    )
    assert tree.resolve("/lib/libone.so.1") == "/usr/lib/libone.so.1.2"
    assert tree.resolve("/opt/one.so") == "/usr/lib/libone.so.1.2"
    assert tree.resolve("/opt/./x/../one.so") == "/usr/lib/libone.so.1.2"
    assert tree.resolve("/opt/out") == "/etc/passwd"
    assert tree.resolve("/opt/nowhere") is None
    assert tree.resolve("/opt/round") is None
    assert tree.resolve("/usr/lib") is None


def test_a_hard_link_is_the_file_that_it_links_to() -> None:
    tree = image({"/a/libone.so": Elf()}, hard={"/b/libone.so": "a/libone.so"})
    assert tree.resolve("/b/libone.so") == "/a/libone.so"
    assert set(tree.sizes) == {"/a/libone.so"}


def test_a_file_is_of_the_package_that_recorded_it() -> None:
    tree = image(
        {
            f"{SITE}/one/lib/libone.so": Elf(),
            "/opt/venv/bin/one": Elf(is_program=True),
            "/usr/lib/x86_64-linux-gnu/libtwo.so.2.0": Elf(),
            "/usr/local/lib/three.so": Elf(),
            **wheel("One_Thing", "1.0+cu118", ["one/lib/libone.so", "../../../bin/one"]),
            **debian({"libtwo": ("2.0-1", ["/.", "/lib/x86_64-linux-gnu/libtwo.so.2.0"])}),
        },
        {"/lib": "usr/lib"},
    )
    owners = find_owners(tree)
    one = Owner("wheel", "one-thing", "1.0+cu118", SITE)
    assert owners[f"{SITE}/one/lib/libone.so"] == one
    assert owners["/opt/venv/bin/one"] == one
    assert owners["/usr/lib/x86_64-linux-gnu/libtwo.so.2.0"] == Owner("apt", "libtwo", "2.0-1")
    assert owners.get("/usr/local/lib/three.so", NOBODY) == NOBODY
    assert [str(owner) for owner in (one, NOBODY)] == ["one-thing==1.0+cu118", "no package"]


def test_a_package_of_several_architectures_is_known_by_its_name() -> None:
    files = {"/usr/lib/x86_64-linux-gnu/libc.so.6": Elf()}
    records = debian({"libc6:amd64": ("2.36", list(files))})
    records["/var/lib/dpkg/status"] = b"Package: libc6\nStatus: ok\nVersion: 2.36\n"
    owners = find_owners(image({**files, **records}))
    assert owners["/usr/lib/x86_64-linux-gnu/libc.so.6"] == Owner("apt", "libc6", "2.36")
