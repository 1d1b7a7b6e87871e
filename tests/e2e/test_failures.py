"""Builds that fail, that are interrupted, and that are mended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.workbench import docker, wait_until

if TYPE_CHECKING:
    from tests.e2e.workbench import Project

pytestmark = pytest.mark.engine

SLUG = "cpu-py3.11-debian12"
BROKEN, HEALTHY = f"other/{SLUG}", f"tiny/{SLUG}"
LOG = f".twinforge/logs/other/{SLUG}.build.log"
INTERRUPT_S = 15


def break_other(tiny: Project, step: str) -> None:
    tiny.edit("recipes/other.yaml", "program: program", f'program: program\nsteps: ["{step}"]')
    tiny.must("render", "other")


def mend_other(tiny: Project) -> None:
    lines = tiny.read("recipes/other.yaml").splitlines()
    kept = [line for line in lines if not line.startswith("steps: ")]
    (tiny.root / "recipes/other.yaml").write_text("\n".join(kept) + "\n")
    tiny.must("render", "other")


def tag_of(tiny: Project, variant: str) -> str:
    (node,) = tiny.json("plan", variant)
    return str(node["tag"])


def line_of(tiny: Project, text: str) -> int:
    lines = tiny.read(f"images/other/variants/{SLUG}/Dockerfile").splitlines()
    (number,) = (number for number, line in enumerate(lines, 1) if text in line)
    return number


def test_a_failing_step_fails_its_variant_and_no_other_and_the_table_says_where(
    tiny: Project,
) -> None:
    break_other(tiny, "echo about to fail; exit 3")
    built = tiny.run("build", "accelerator=cpu")
    assert built.status == 1
    assert built.err.endswith(
        "error: 1 of 2 variants did not build\nhint: the log of each is named above\n"
    )
    assert tiny.image_id("tiny", tag_of(tiny, HEALTHY))
    assert not tiny.image_id("other", tag_of(tiny, BROKEN))
    images, _, failures = built.out.partition("\n\n")
    assert [line.split()[0] for line in images.splitlines()[1:]] == [HEALTHY]
    place = f"images/other/variants/{SLUG}/Dockerfile:{line_of(tiny, 'about to fail')}"
    assert failures.splitlines()[0] == "1 failed"
    row = failures.splitlines()[2]
    assert row.split()[:5] == [BROKEN, "build", "system", place, "recipes/other.yaml:1:9"]
    assert row.split()[-1] == LOG
    assert "exit code: 3: about to fail" in row
    assert "  about to fail\n" in tiny.read(LOG)

    mend_other(tiny)
    assert f"build {BROKEN}: done" in tiny.must("build", "accelerator=cpu").err
    assert tiny.image_id("other", tag_of(tiny, BROKEN))


def test_failing_fast_tries_nothing_after_the_first_failure(tiny: Project) -> None:
    break_other(tiny, "exit 3")
    built = tiny.run("build", "--fail-fast", "--jobs", "1", "--json")
    assert built.status == 1
    summary = json.loads(built.out)
    assert summary["images"] == []
    assert [failure["variant"] for failure in summary["failures"]] == [BROKEN]
    assert summary["skipped"] == [HEALTHY, "tiny/cu129-py3.11-debian12"]
    assert "error: 1 of 3 variants did not build, 2 were not tried\n" in built.err


def test_an_interrupted_build_leaves_no_child_and_no_tag_and_goes_on_afterwards(
    tiny: Project,
) -> None:
    break_other(tiny, "echo asleep; sleep 60")
    log = tiny.root / LOG
    with tiny.running("build", "other") as child:
        wait_until(
            lambda: child.poll() is not None or (log.exists() and "  asleep\n" in log.read_text()),
            "the step did not start",
        )
        helpers = descendants(child.pid)
        assert any("buildx" in command for command in helpers.values()), helpers
        os.killpg(child.pid, signal.SIGINT)
        try:
            _, err = child.communicate(timeout=INTERRUPT_S)
        except subprocess.TimeoutExpired:
            pytest.fail(f"it did not end within {INTERRUPT_S} s")
        assert child.returncode == 130
    assert err.endswith("interrupted; run the same command again to go on\n")
    assert [command for pid, command in helpers.items() if command_of(pid) == command] == []
    assert not tiny.image_id("other", tag_of(tiny, BROKEN))

    mend_other(tiny)
    tiny.must("build", "other")
    assert tiny.image_id("other", tag_of(tiny, BROKEN))


def test_an_interrupted_smoke_leaves_no_container_and_is_no_pass(tiny: Project) -> None:
    tiny.edit("program/train", "import sys", "import sys\nimport time\n\ntime.sleep(60)")
    tiny.must("build", HEALTHY)
    image = tiny.image_id("tiny", tag_of(tiny, HEALTHY))

    def containers(*options: str) -> list[str]:
        return docker("ps", *options, "--filter", f"ancestor={image}").split()

    def is_training() -> bool:
        return '"train"' in containers("--format", "{{.Command}}")

    with tiny.running("smoke", HEALTHY) as child:
        wait_until(lambda: child.poll() is not None or is_training(), "training did not start")
        os.killpg(child.pid, signal.SIGINT)
        try:
            _, err = child.communicate(timeout=INTERRUPT_S)
        except subprocess.TimeoutExpired:
            pytest.fail(f"it did not end within {INTERRUPT_S} s")
        assert child.returncode == 130, err
    assert containers("--all", "--quiet") == []
    assert "was not smoked" in tiny.run("push", HEALTHY, "--dry-run").err


def test_a_stale_lock_is_named_and_nothing_is_built(tiny: Project) -> None:
    tiny.edit("recipes/tiny.yaml", "packages: [iniconfig]", "packages: [iniconfig, packaging]")
    for verb in (["lock", "--check"], ["build", "tiny"]):
        refused = tiny.run(*verb)
        assert (refused.status, refused.out) == (6, "")
        assert refused.err == (
            "error: the lock of 'tiny' is stale: its recipe or the matrix has changed\n"
            "hint: run `twinforge lock` and commit the result\n"
        )


def test_files_that_are_not_rendered_are_not_built(tiny: Project) -> None:
    tiny.edit("recipes/tiny.yaml", "Learns the mean", "Learns the median")
    built = tiny.run("build", "tiny")
    assert built.status == 6
    assert "+      org.opencontainers.image.description=" in built.err
    assert built.out == ""


def test_a_change_that_is_taken_back_gives_the_tag_back(tiny: Project) -> None:
    tiny.must("build", HEALTHY)
    tag = tag_of(tiny, HEALTHY)
    before = tiny.image_id("tiny", tag)
    row = tiny.root / "program/serve"
    text = row.read_text()
    row.write_text(f"{text}# changed\n")
    tiny.must("build", HEALTHY)
    assert tiny.image_id("tiny", tag) != before
    row.write_text(text)
    assert "nothing changed" in tiny.must("build", HEALTHY).out
    assert tiny.image_id("tiny", tag) == before


def descendants(pid: int) -> dict[int, str]:
    """The children of a process, theirs and so on, each with its command line."""
    parents = {}
    for folder in Path("/proc").iterdir():
        try:
            stat = (folder / "stat").read_text() if folder.name.isdigit() else ""
        except OSError:  # it has ended
            continue
        if stat:
            parents[int(folder.name)] = int(stat.rpartition(")")[2].split()[1])
    found: dict[int, str] = {}
    wanted = {pid}
    while wanted:
        wanted = {child for child, parent in parents.items() if parent in wanted}
        found |= {child: command_of(child) for child in wanted}
    return found


def command_of(pid: int) -> str:
    """The command line of a process; empty once it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""
