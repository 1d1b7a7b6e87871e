"""The uv that installs wheels inside a build: the project's own, handed in as a named context.

It is mounted for the step that needs it and never stays in an image. It travels as an image of one
file, so that an engine gets it once and not with every build.
"""

from __future__ import annotations

import io
import platform
import shutil
import sys
import tarfile
import tempfile
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from uv import find_uv_bin

from twinforge import process
from twinforge.build.layout import read_layout, stream_archive, write_layout
from twinforge.render.dockerfile import EPOCH

if TYPE_CHECKING:
    from collections.abc import Mapping

    from twinforge.build.layout import Layout
    from twinforge.engine.images import Images

__all__ = ["make_uv_context", "uv_reference", "uv_version"]

_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
_MODE = 0o755


@cache  # asked for each variant
def uv_version() -> str:
    """Return the version of uv that builds use."""
    return version("uv")


def uv_reference(cpu_arch: str) -> str:
    """Return the reference of the image with uv for a CPU architecture.

    >>> uv_reference("arm64").removeprefix(uv_reference("amd64"))
    '-arm64'
    """
    return f"twinforge/uv:{uv_version()}{_suffix(cpu_arch)}"


def _suffix(cpu_arch: str) -> str:
    return "" if cpu_arch == "amd64" else f"-{cpu_arch}"


def make_uv_context(
    cache_dir: Path,
    images: Images,
    *,
    driver: str,
    env: Mapping[str, str],
    cpu_arch: str = "amd64",
) -> str:
    """Return the value of ``--build-context`` that gives a build the file ``/uv``.

    Args:
        cache_dir: Where the image layout is kept.
        images: Of the engine, which is given the image where it lacks it.
        driver: Of the builder; only ``docker`` sees the engine's images.
        env: For uv itself, where this machine's own can't run in an image.
        cpu_arch: Of the images that are built.

    Raises:
        CommandError: This is no Linux on such a CPU, and the wheel of uv for one can't be had.
    """
    folder = cache_dir / "tools" / f"uv-{uv_version()}{_suffix(cpu_arch)}"
    layout = _layout(folder, env, cpu_arch)
    if driver != "docker":
        return f"oci-layout://{layout.folder.absolute()}@{layout.manifest_digest}"
    reference = uv_reference(cpu_arch)
    image = images.inspect(reference)
    if image is None or image.layers != (layout.layer_digest,):
        images.load(stream_archive(layout, reference=reference))
    return f"docker-image://{reference}"


def _program(scratch: Path, env: Mapping[str, str], cpu_arch: str) -> Path:
    """Return a uv for Linux on a CPU: our own where it is one, else the one of the same version."""
    own, machine = Path(find_uv_bin()), _MACHINES[cpu_arch]
    if (sys.platform, platform.machine()) == ("linux", machine):
        return own
    target = scratch / "uv"
    argv = [str(own), "pip", "install", "--no-config", "--no-deps", "--only-binary", ":all:"]
    argv += ["--python-platform", f"{machine}-manylinux2014", "--target", str(target)]
    process.run([*argv, f"uv=={uv_version()}"], env=env)
    return target / "bin" / "uv"


def _layout(folder: Path, env: Mapping[str, str], cpu_arch: str) -> Layout:
    try:
        return read_layout(folder)
    except FileNotFoundError:
        folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".uv-") as name:
        scratch = Path(name)
        tar = scratch / "root.tar"
        content = _program(scratch, env, cpu_arch).read_bytes()
        member = tarfile.TarInfo("uv")
        member.size, member.mode, member.mtime = len(content), _MODE, EPOCH
        with tarfile.open(tar, "w") as archive:
            archive.addfile(member, io.BytesIO(content))
        made = write_layout(
            tar, scratch / "layout", architecture=cpu_arch, created_by="uv, from its wheel"
        )
        if not folder.exists():
            shutil.move(made.folder, folder)
    return read_layout(folder)
