from __future__ import annotations

import io
import tarfile
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

STATUS = """\
Package: dpkg
Status: install ok installed
Architecture: amd64
Version: 1.21.22
Description: Debian package management system
 This package provides the infrastructure.

Package: removed
Status: deinstall ok config-files
Architecture: amd64
Version: 1.0

Package: libc6
Status: install ok installed
Architecture: amd64
Version: {libc6}
"""


@pytest.fixture
def write_tar() -> Callable[..., Path]:
    """Write the tar of a root file system with nothing but dpkg's database."""

    def write(target: Path, *, libc6: str = "2.36-9") -> Path:
        content = STATUS.format(libc6=libc6).encode()
        with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as archive:
            member = tarfile.TarInfo("./var/lib/dpkg/status")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        return target

    return write
