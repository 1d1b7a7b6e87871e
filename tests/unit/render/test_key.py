from __future__ import annotations

from typing import Any

import pytest

from twinforge.render.key import ContentKey, ProgramFile, content_key

FILES = {
    "Dockerfile": "FROM x\n",
    "requirements.txt": "numpy==1\n",
    "layers/common/small.txt": "numpy==1\n",
    "variant.json": "{}\n",
}
PROGRAM = (ProgramFile("serve", True, "1" * 64), ProgramFile("train", True, "2" * 64))  # noqa: FBT003 - a file's flag


def key(files: dict[str, str] | None = None, **changes: Any) -> ContentKey:
    inputs: dict[str, Any] = {
        "base_digest": "sha256:" + "b" * 64,
        "program": PROGRAM,
        "uv_version": "0.9.0",
    }
    return content_key({**FILES, **(files or {})}, **{**inputs, **changes})


def test_a_key_is_64_hexadecimal_digits_and_stays_the_same() -> None:
    assert key().hex == "eda891e3f34fcf3e180034026893e48af548034d4d4082ea15a299adc63cd087"


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"files": {"Dockerfile": "FROM y\n"}}, ("Dockerfile",)),
        ({"files": {"layers/common/small.txt": "numpy==2\n"}}, ("wheels",)),
        ({"files": {"layers/device/small.txt": ""}}, ("wheels",)),
        ({"files": {"debs.txt": f"{'d' * 64}  pool/x_1_all.deb\n"}}, ("debs",)),
        ({"base_digest": "sha256:" + "c" * 64}, ("base",)),
        ({"uv_version": "0.9.1"}, ("uv",)),
        ({"program": PROGRAM[:1]}, ("program",)),
        ({"program": (PROGRAM[0], ProgramFile("train", False, "2" * 64))}, ("program",)),  # noqa: FBT003
        ({"base_digest": "", "uv_version": ""}, ("base", "uv")),
    ],
)
def test_what_decides_an_image_changes_its_key_and_is_named(
    changes: dict[str, Any], parts: tuple[str, ...]
) -> None:
    changed = key(**changes)
    assert changed.hex != key().hex
    assert changed.changed_from(key().parts) == parts


@pytest.mark.parametrize("file", ["variant.json", "requirements.txt"])
def test_what_is_for_readers_only_changes_no_key(file: str) -> None:
    assert key(files={file: "other"}) == key()


def test_the_order_of_files_changes_no_key() -> None:
    files = dict(reversed(FILES.items()))
    program = tuple(reversed(PROGRAM))
    assert content_key(files, base_digest="", program=program, uv_version="") == content_key(
        FILES, base_digest="", program=PROGRAM, uv_version=""
    )


def test_text_moved_from_one_file_to_the_next_changes_the_key() -> None:
    one = key(files={"layers/common/a.txt": "ab", "layers/common/b.txt": ""})
    two = key(files={"layers/common/a.txt": "a", "layers/common/b.txt": "b"})
    assert one.hex != two.hex


def test_a_part_that_is_new_or_gone_has_changed() -> None:
    assert ContentKey("", {"a": "1", "b": "2"}).changed_from({"b": "2", "c": "3"}) == ("a", "c")


def test_the_runtime_is_part_of_the_key_of_an_image_that_has_it() -> None:
    with_it = key(runtime=PROGRAM)
    assert with_it.changed_from(key().parts) == ("runtime",)
    assert key(runtime=PROGRAM[:1]).changed_from(with_it.parts) == ("runtime",)
    assert key(runtime=()) == key()
