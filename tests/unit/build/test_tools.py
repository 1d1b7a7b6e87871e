from __future__ import annotations

import io
import platform
import sys
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from twinforge import process
from twinforge.build import tools
from twinforge.build.layout import read_layout
from twinforge.build.tools import make_uv_context, uv_version
from twinforge.render.dockerfile import EPOCH

if TYPE_CHECKING:
    from collections.abc import Iterable

REFERENCE = f"twinforge/uv:{uv_version()}"
CONTENT = b"\x7fELF uv"


@dataclass
class Image:
    """What an engine knows of an image."""

    layers: tuple[str, ...]


@dataclass
class FakeImages:
    """An engine's images, that remembers what it was given."""

    known: dict[str, Image] = field(default_factory=dict)
    loaded: list[bytes] = field(default_factory=list)

    def inspect(self, reference: str) -> Image | None:
        return self.known.get(reference)

    def load(self, archive: Iterable[bytes]) -> None:
        self.loaded.append(b"".join(archive))


@pytest.fixture(autouse=True)
def own_uv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a small file in the place of uv, on the machine that images are for."""
    path = tmp_path / "bin" / "uv"
    path.parent.mkdir()
    path.write_bytes(CONTENT)
    monkeypatch.setattr(tools, "find_uv_bin", lambda: str(path))
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    return path


def make(cache_dir: Path, images: FakeImages, driver: str) -> str:
    return make_uv_context(cache_dir, images, driver=driver, env={"HOME": "/h"})  # type: ignore[arg-type] # a double


def layer(cache_dir: Path) -> tarfile.TarFile:
    layout = read_layout(cache_dir / "tools" / f"uv-{uv_version()}")
    content = layout.blob(layout.layer_digest).read_bytes()
    return tarfile.open(fileobj=io.BytesIO(content))


def test_the_docker_driver_gets_an_image_of_the_engine(tmp_path: Path) -> None:
    images = FakeImages()
    assert make(tmp_path, images, "docker") == f"docker-image://{REFERENCE}"
    [archive] = images.loaded
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        assert "manifest.json" in opened.getnames()


def test_an_engine_that_has_this_very_image_is_not_given_it_again(tmp_path: Path) -> None:
    make(tmp_path, FakeImages(), "docker")
    layout = read_layout(tmp_path / "tools" / f"uv-{uv_version()}")
    images = FakeImages({REFERENCE: Image((layout.layer_digest,))})
    make(tmp_path, images, "docker")
    assert images.loaded == []


def test_an_image_of_that_name_with_other_content_is_replaced(tmp_path: Path) -> None:
    images = FakeImages({REFERENCE: Image(("sha256:other",))})
    make(tmp_path, images, "docker")
    assert len(images.loaded) == 1


def test_another_driver_gets_a_folder_pinned_by_digest(tmp_path: Path) -> None:
    images = FakeImages()
    context = make(tmp_path, images, "docker-container")
    layout = read_layout(tmp_path / "tools" / f"uv-{uv_version()}")
    assert context == f"oci-layout://{layout.folder}@{layout.manifest_digest}"
    assert Path(layout.folder).is_absolute()
    assert images.loaded == []


def test_the_image_is_one_executable_of_fixed_time(tmp_path: Path) -> None:
    make(tmp_path, FakeImages(), "docker")
    with layer(tmp_path) as archive:
        [member] = archive.getmembers()
        assert (member.name, member.mode, member.mtime) == ("uv", 0o755, EPOCH)
        content = archive.extractfile(member)
        assert content is not None
        assert content.read() == CONTENT


def test_two_caches_hold_the_same_bytes(tmp_path: Path) -> None:
    contexts = [make(tmp_path / name, FakeImages(), "remote") for name in ("one", "two")]
    assert len({context.partition("@")[2] for context in contexts}) == 1


def test_what_is_cached_is_not_made_again(tmp_path: Path, own_uv: Path) -> None:
    first = make(tmp_path, FakeImages(), "remote")
    own_uv.unlink()
    assert make(tmp_path, FakeImages(), "remote") == first


@pytest.mark.parametrize(("system", "machine"), [("darwin", "arm64"), ("linux", "aarch64")])
def test_another_machine_takes_the_uv_of_the_image_from_its_wheel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_uv: Path, system: str, machine: str
) -> None:
    asked: list[list[str]] = []

    def run(argv: list[str], *, env: dict[str, str]) -> process.Completed:
        assert env == {"HOME": "/h"}
        asked.append(argv)
        target = Path(argv[argv.index("--target") + 1]) / "bin" / "uv"
        target.parent.mkdir(parents=True)
        target.write_bytes(b"\x7fELF of the wheel")
        return process.Completed(tuple(argv), 0, "", "")

    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr(process, "run", run)
    make(tmp_path, FakeImages(), "docker")
    [argv] = asked
    assert argv[:3] == [str(own_uv), "pip", "install"]
    assert argv[argv.index("--python-platform") + 1].startswith("x86_64-")
    assert argv[-1] == f"uv=={uv_version()}"
    with layer(tmp_path) as archive:
        content = archive.extractfile("uv")
        assert content is not None
        assert content.read() == b"\x7fELF of the wheel"


def test_images_for_arm64_have_a_uv_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(argv: list[str], *, env: dict[str, str]) -> process.Completed:
        del env
        assert argv[argv.index("--python-platform") + 1] == "aarch64-manylinux2014"
        target = Path(argv[argv.index("--target") + 1]) / "bin" / "uv"
        target.parent.mkdir(parents=True)
        target.write_bytes(b"\x7fELF for arm64")
        return process.Completed(tuple(argv), 0, "", "")

    monkeypatch.setattr(process, "run", run)
    images = FakeImages()
    options = {"driver": "docker", "env": {"HOME": "/h"}}
    context = make_uv_context(tmp_path, images, cpu_arch="arm64", **options)  # type: ignore[arg-type] # a double
    assert context == f"docker-image://{REFERENCE}-arm64"
    layout = read_layout(tmp_path / "tools" / f"uv-{uv_version()}-arm64")
    content = layout.blob(layout.layer_digest).read_bytes()
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        member = archive.extractfile("uv")
        assert member is not None
        assert member.read() == b"\x7fELF for arm64"
    assert make(tmp_path, images, "docker") == f"docker-image://{REFERENCE}"
