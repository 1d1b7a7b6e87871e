"""The default package index, asked for real."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from twinforge.api.workspace import Workspace
from twinforge.compat.wheels import PublishedFile, published_versions
from twinforge.lock.index import SimpleIndex
from twinforge.lock.uv import default_index

pytestmark = pytest.mark.engine


def test_the_default_index_lists_the_wheels_of_lightgbm(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, dict(os.environ), Path("/nowhere"), tmp_path)
    url = default_index(workspace.child_environ, "lightgbm")
    proxy = os.environ.get("HTTPS_PROXY") or ""
    files = SimpleIndex(url, workspace.ca_bundle, proxy).files("lightgbm")
    versions = published_versions(
        PublishedFile(file.filename, file.requires_python, file.is_yanked) for file in files
    )
    assert versions["4.6.0"].glibcs["amd64"] == {"2.28"}
    assert versions["4.6.0"].requires_python == ">=3.7"
