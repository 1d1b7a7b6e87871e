from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from twinforge.errors import TwinforgeError
from twinforge.lock.document import (
    BaseLock,
    RecipeLock,
    VariantLock,
    Wheel,
    read_bases,
    read_recipe_lock,
    recipe_lock_path,
    write_bases,
    write_recipe_lock,
)
from twinforge.lock.locked import Deb

if TYPE_CHECKING:
    from pathlib import Path

WHEEL = Wheel("numpy", "2.4.6", "numpy-2.4.6-cp311-cp311-linux_x86_64.whl", "a" * 64, 7, "common")
TORCH = Wheel("torch", "2.1.0+cu118", "torch-2.1.0+cu118-py3-none-any.whl", "b" * 64, 0, "device")
LOCK = RecipeLock(
    "digits",
    "c" * 64,
    (
        VariantLock(
            "cpu-py3.11-debian12",
            "debian-12",
            (
                Deb(
                    "libgomp1",
                    "12.2.0-14+deb12u1",
                    "pool/main/g/libgomp1_12.2.0-14%2bdeb12u1_amd64.deb",
                    "5" * 64,
                ),
                Deb("libstdc++6", "1:2~rc1"),
            ),
            (WHEEL, TORCH),
        ),
        VariantLock("cu129-py3.11-debian12", "debian-12", (), ()),
    ),
)
BASES = {
    "debian-12": BaseLock("debian-12", "bootstrap", "", {"libc6": "2.36-9+deb12u10"}, "", "e" * 64),
    "ubuntu": BaseLock("ubuntu", "image", f"sha256:{'d' * 64}", {}, "", "e" * 64),
    "away": BaseLock("away", "image", "", {}, "no registry answers", "e" * 64),
}


def written(root: Path) -> Any:
    return json.loads(recipe_lock_path(root, "digits").read_text())


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    write_recipe_lock(tmp_path, LOCK)
    write_bases(tmp_path, BASES)
    assert read_recipe_lock(tmp_path, "digits") == LOCK
    assert read_bases(tmp_path) == BASES


def test_a_lock_that_was_never_written_is_none(tmp_path: Path) -> None:
    assert read_recipe_lock(tmp_path, "digits") is None
    assert read_bases(tmp_path) == {}


def test_the_file_is_sorted_versioned_and_alone_in_its_folder(tmp_path: Path) -> None:
    variant = replace(LOCK.variants[0], wheels=(TORCH, WHEEL), apt=LOCK.variants[0].apt[::-1])
    write_recipe_lock(tmp_path, replace(LOCK, variants=(variant, LOCK.variants[1])))
    path = recipe_lock_path(tmp_path, "digits")
    text = path.read_text()
    assert text == json.dumps(json.loads(text), indent=2, sort_keys=True) + "\n"
    assert written(tmp_path)["version"] == 1
    assert [wheel["name"] for wheel in written(tmp_path)["variants"][0]["wheels"]] == [
        "numpy",
        "torch",
    ]
    assert list(path.parent.iterdir()) == [path]
    assert path.stat().st_mode & 0o777 == 0o644


def test_a_lock_that_could_not_be_read_back_is_not_written(tmp_path: Path) -> None:
    write_recipe_lock(tmp_path, LOCK)
    evil = replace(WHEEL, version="1\nRUN x")
    with pytest.raises(TwinforgeError, match=r"variants\.0\.wheels\.0\.version"):
        write_recipe_lock(
            tmp_path, replace(LOCK, variants=(replace(LOCK.variants[0], wheels=(evil,)),))
        )
    assert read_recipe_lock(tmp_path, "digits") == LOCK


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 2}, "images/digits/lock.json: version: input should be 1"),
        ({"extra": 1}, "images/digits/lock.json: extra: extra inputs are not permitted"),
        ({"checksum": "x"}, "images/digits/lock.json: checksum: string should match"),
        ({"recipe": "other"}, "images/digits/lock.json is the lock of 'other', not of 'digits'"),
        ({"variants": "x"}, "images/digits/lock.json: variants: input should be a valid array"),
    ],
)
def test_what_is_not_a_lock_is_refused_by_name(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    write_recipe_lock(tmp_path, LOCK)
    recipe_lock_path(tmp_path, "digits").write_text(json.dumps(written(tmp_path) | change))
    with pytest.raises(TwinforgeError) as caught:
        read_recipe_lock(tmp_path, "digits")
    assert caught.value.message.startswith(message)
    damaged = "restore it from git, or delete it and run `twinforge lock`"
    newer = "this program reads version 1 of locks; use the one that wrote it"
    assert caught.value.hint == (newer if "version" in change else damaged)


@pytest.mark.parametrize("path", [("variants",), ("variants", 0, "wheels")])
def test_what_stands_there_twice_is_refused(tmp_path: Path, path: tuple[Any, ...]) -> None:
    write_recipe_lock(tmp_path, LOCK)
    document = written(tmp_path)
    entries = document
    for step in path:
        entries = entries[step]
    entries.append(entries[0])
    recipe_lock_path(tmp_path, "digits").write_text(json.dumps(document))
    with pytest.raises(TwinforgeError, match="stands there twice"):
        read_recipe_lock(tmp_path, "digits")


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("../libgomp1_12.2.0-14+deb12u1_amd64.deb", "file.path: string should match"),
        ("pool/../libgomp1_12.2.0-14+deb12u1_amd64.deb", "file.path: string should match"),
        ("/pool/libgomp1_12.2.0-14+deb12u1_amd64.deb", "file.path: string should match"),
        ("http://m/libgomp1_12.2.0-14+deb12u1_amd64.deb", "file.path: string should match"),
        ("pool/libgomp1_12.2.0-14+deb12u1_amd64.deb x", "file.path: string should match"),
        ("pool/libgomp1_12.2.0-13_amd64.deb", "is not the file of 'libgomp1=12.2.0-14"),
        ("pool/libgomp2_12.2.0-14+deb12u1_amd64.deb", "is not the file of 'libgomp1=12.2.0-14"),
    ],
)
def test_the_file_of_a_debian_package_is_below_an_archive_and_its_own(
    tmp_path: Path, path: str, problem: str
) -> None:
    write_recipe_lock(tmp_path, LOCK)
    document = written(tmp_path)
    document["variants"][0]["apt"]["libgomp1"]["path"] = path
    recipe_lock_path(tmp_path, "digits").write_text(json.dumps(document))
    with pytest.raises(TwinforgeError, match=problem):
        read_recipe_lock(tmp_path, "digits")


def test_half_a_lock_names_the_file(tmp_path: Path) -> None:
    write_recipe_lock(tmp_path, LOCK)
    path = recipe_lock_path(tmp_path, "digits")
    path.write_text(path.read_text()[:200])
    with pytest.raises(TwinforgeError, match=r"images/digits/lock\.json: invalid JSON"):
        read_recipe_lock(tmp_path, "digits")


def test_an_unknown_variant_is_a_key_error() -> None:
    assert LOCK.variant("cpu-py3.11-debian12") is LOCK.variants[0]
    with pytest.raises(KeyError):
        LOCK.variant("tpu")


def test_a_crash_while_writing_leaves_the_old_lock_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_recipe_lock(tmp_path, LOCK)

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pathlib.Path.replace", crash)
    with pytest.raises(KeyboardInterrupt):
        write_recipe_lock(tmp_path, replace(LOCK, variants=()))
    assert read_recipe_lock(tmp_path, "digits") == LOCK
    path = recipe_lock_path(tmp_path, "digits")
    assert list(path.parent.iterdir()) == [path]
