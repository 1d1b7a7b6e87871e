"""Installers and packages in shapes that no shipped program has."""

from __future__ import annotations

import pytest

from twinforge.smoke.installers import changed_packages, installers


@pytest.mark.parametrize(
    "line",
    [
        "python3 -mpip install numpy",
        "python3.11 -Im pip install numpy",
        "/opt/venv/bin/python -W ignore -m pip.__main__ install numpy",
        "python3 -X dev /usr/bin/pip install numpy",
        "/bin/sh -c cd /tmp && pip install -r requirements.txt",
        "bash -e -c export A=1; apt-get install -y curl",
        "tini -- pip install numpy",
        "/opt/conda/bin/python /opt/conda/bin/conda install -y numpy",
        "micromamba create -n env python",
        "uv --quiet sync",
        "uvx ruff",
        "pipx install black",
        "node /usr/bin/npm --prefix /srv ci",
        "yarn add left-pad",
        "/bin/sh /usr/bin/R CMD INSTALL xgboost.tar.gz",
        "dpkg -i tool.deb",
        "rpm -Uvh tool.rpm",
        "/usr/bin/ruby /usr/bin/bundle install",
        "apk add curl",
    ],
)
def test_what_installs_is_known_in_every_disguise(line: str) -> None:
    assert installers([line]) == (line,)


@pytest.mark.parametrize(
    "line",
    [
        "/bin/sh -c dpkg --print-architecture",
        "dpkg-query -W libgomp1",
        "/opt/conda/bin/python /opt/conda/bin/conda run -n env python serve.py install",
        "micromamba run -n env gunicorn app",
        "uv run serve.py",
        "npm run install-nothing",
        "python3 -Wignore::DeprecationWarning:mpip serve.py",
        "python3 -c import pip",
        "python3 -m pipeline",
        "python3 -m uvicorn app",
        "sh -c echo pip",
        "sh -c exec gunicorn app",
        "tini -- serve",
        "rpm -q glibc",
        "R --no-save",
    ],
)
def test_what_only_asks_or_starts_is_not_taken_for_an_installer(line: str) -> None:
    assert installers([line]) == ()


def test_packages_are_known_wherever_they_are_put() -> None:
    packages = (
        "/tmp/deps/numpy-2.0.dist-info/METADATA",
        "/srv/own/tool.egg-info",
        "/usr/local/lib/R/site-library/xgboost/DESCRIPTION",
        "/opt/conda/conda-meta/history",
        "/usr/local/bin/tool",
        "/opt/venv/bin/ruff",
        "/lib/apk/db/installed",
    )
    assert changed_packages(packages) == packages


def test_what_a_job_is_given_and_what_it_writes_is_no_package() -> None:
    others = (
        "/usr/local/bin",
        "/opt/ml/input/data/training/site-packages/a.csv",
        "/opt/ml/input/data/training/bin/a.csv",
        "/program/bin/cache",
        "/root/.triton/cache/kernel.so",
        "/var/cache/fontconfig/a",
    )
    assert changed_packages(others) == ()
