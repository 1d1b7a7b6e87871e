from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from twinforge.runtime.machine import Machine, read_machine, resident_bytes, used_bytes
from twinforge.runtime.settings import SettingsError, read_settings
from twinforge.runtime.supervisor import workers_that_fit

if TYPE_CHECKING:
    from pathlib import Path

GIB = 1024**3
CPU = Machine(cores=4, memory_bytes=16 * GIB, gpus=0)
GPU = Machine(cores=16, memory_bytes=64 * GIB, gpus=4)


@pytest.mark.parametrize(
    ("machine", "environ", "workers", "threads", "gpus"),
    [
        (CPU, {}, 4, 1, [()]),
        (GPU, {}, 4, 1, [("0",), ("1",), ("2",), ("3",)]),
        (GPU, {"TWINFORGE_WORKERS": "1"}, 1, 1, [("0", "1", "2", "3")]),
        (GPU, {"TWINFORGE_WORKERS": "2"}, 2, 1, [("0", "2"), ("1", "3")]),
        (GPU, {"TWINFORGE_WORKERS": "5"}, 5, 1, [("0",), ("1",), ("2",), ("3",), ("0",)]),
        (GPU, {"CUDA_VISIBLE_DEVICES": "3, GPU-1"}, 2, 1, [("3",), ("GPU-1",)]),
        (GPU, {"CUDA_VISIBLE_DEVICES": "0,4,1"}, 1, 1, [("0",)]),
        (GPU, {"CUDA_VISIBLE_DEVICES": ""}, 16, 1, [()]),
        (GPU, {"CUDA_VISIBLE_DEVICES": "-1"}, 16, 1, [()]),
        (GPU, {"SAGEMAKER_MULTI_MODEL": "true"}, 1, 16, [("0", "1", "2", "3")]),
        (CPU, {"CUDA_VISIBLE_DEVICES": "0"}, 4, 1, [()]),
        (CPU, {"SAGEMAKER_MODEL_SERVER_WORKERS": "2"}, 2, 1, [()]),
        (CPU, {"SAGEMAKER_MODEL_SERVER_WORKERS": "2", "TWINFORGE_WORKERS": "3"}, 3, 1, [()]),
        (CPU, {"TWINFORGE_THREADS": "8"}, 4, 8, [()]),
        (CPU, {"SAGEMAKER_MULTI_MODEL": "true"}, 1, 4, [()]),
    ],
)
def test_processes_and_threads_follow_from_the_machine_unless_they_are_set(
    machine: Machine,
    environ: dict[str, str],
    workers: int,
    threads: int,
    gpus: list[tuple[str, ...]],
) -> None:
    settings = read_settings(environ, machine)
    assert (settings.workers, settings.threads) == (workers, threads)
    assert [settings.gpus_of(number) for number in range(len(gpus))] == gpus


def test_an_empty_environment_has_sagemakers_defaults() -> None:
    settings = read_settings({}, CPU)
    assert (settings.port, settings.model_dir) == (8080, "/opt/ml/model")
    assert settings.max_body_bytes == 25 * 1024 * 1024
    assert settings.stop_s < 30
    assert (settings.limit_s, settings.left_s) == (3600, 60)


@pytest.mark.parametrize(
    ("environ", "limit_s"),
    [
        ({"SAGEMAKER_MODEL_SERVER_TIMEOUT": "900"}, 900),
        (
            {
                "SAGEMAKER_MODEL_SERVER_TIMEOUT": "15",
                "SAGEMAKER_MODEL_SERVER_TIMEOUT_SECONDS": "20",
            },
            20,
        ),
    ],
)
def test_a_limit_that_is_set_holds_whoever_waits(environ: dict[str, str], limit_s: int) -> None:
    settings = read_settings(environ, CPU)
    assert (settings.limit_s, settings.left_s) == (limit_s, limit_s)


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"SAGEMAKER_BIND_TO_PORT": "65536"}, "SAGEMAKER_BIND_TO_PORT is '65536', not a whole"),
        ({"SAGEMAKER_BIND_TO_PORT": "-1"}, "number from 1 to 65535"),
        ({"TWINFORGE_THREADS": "0"}, "TWINFORGE_THREADS is '0', not a whole number of at least 1"),
        (
            {"SAGEMAKER_MODEL_SERVER_TIMEOUT": "0"},
            "SAGEMAKER_MODEL_SERVER_TIMEOUT is '0', not a whole number of at least 1",
        ),
        ({"SAGEMAKER_MULTI_MODEL": "maybe"}, "SAGEMAKER_MULTI_MODEL is 'maybe', not true or false"),
        ({"SAGEMAKER_BATCH_STRATEGY": "ALL"}, "SAGEMAKER_BATCH_STRATEGY is 'ALL', not SINGLE"),
        ({"SAGEMAKER_MULTI_MODEL": "1", "TWINFORGE_WORKERS": "2"}, "all models are in one process"),
    ],
)
def test_a_value_that_can_t_be_is_named(environ: dict[str, str], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        read_settings(environ, CPU)


@pytest.mark.parametrize(
    ("environ", "concurrent", "megabytes"),
    [
        ({}, 4, 25),
        ({"TWINFORGE_THREADS": "4"}, 16, 6),
        ({"TWINFORGE_MAX_PAYLOAD_MB": "3"}, 4, 3),
        ({"SAGEMAKER_MAX_PAYLOAD_IN_MB": "0"}, 4, 25),
        ({"TWINFORGE_THREADS": "100"}, 100, 1),
        ({"SAGEMAKER_MAX_PAYLOAD_IN_MB": "50"}, 2, 50),
        ({"SAGEMAKER_MAX_PAYLOAD_IN_MB": "100"}, 1, 100),
        ({"SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": "20"}, 20, 5),
        (
            {"SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": "3", "SAGEMAKER_MAX_PAYLOAD_IN_MB": "30"},
            3,
            30,
        ),
    ],
)
def test_a_batch_never_asks_for_more_than_sagemaker_hands_out(
    environ: dict[str, str], concurrent: int, megabytes: int
) -> None:
    assert read_settings(environ, CPU).execution_parameters() == {
        "MaxConcurrentTransforms": concurrent,
        "BatchStrategy": "MULTI_RECORD",
        "MaxPayloadInMB": megabytes,
    }


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.mark.parametrize(
    ("files", "machine"),
    [
        ({}, Machine(8, 0, 0, 8)),
        ({"proc/meminfo": "MemTotal:        1024 kB\n"}, Machine(8, 1024 * 1024, 0, 8)),
        (
            {"sys/fs/cgroup/cpu.max": "150000 100000", "sys/fs/cgroup/memory.max": "1000"},
            Machine(2, 1000, 0, 1),
        ),
        (
            {"sys/fs/cgroup/cpu.max": "max 100000", "sys/fs/cgroup/memory.max": "max"},
            Machine(8, 0, 0, 8),
        ),
        (
            {
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "50000",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "2000",
            },
            Machine(1, 2000, 0, 0),
        ),
        (
            {
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712",
            },
            Machine(8, 0, 0, 8),
        ),
        ({"dev/nvidia0": "", "dev/nvidia12": "", "dev/nvidiactl": ""}, Machine(8, 0, 2, 8)),
    ],
)
def test_the_limits_of_either_version_of_control_groups_are_read(
    tmp_path: Path, files: dict[str, str], machine: Machine
) -> None:
    assert read_machine(write(tmp_path, files), affinity=8) == machine


def test_files_that_the_kernel_can_drop_are_no_memory_in_use(tmp_path: Path) -> None:
    stat = "anon 5\ninactive_file 30\n"
    cgroup = "sys/fs/cgroup/memory"
    root = write(tmp_path, {f"{cgroup}.current": "100", f"{cgroup}.stat": stat})
    assert used_bytes(root) == 70
    assert used_bytes(tmp_path / "nothing") == 0


def test_what_processes_share_is_nobody_s_own(tmp_path: Path) -> None:
    rollup = "Rss: 90 kB\nPrivate_Clean:  2 kB\nPrivate_Dirty:  3 kB\n"
    root = write(tmp_path, {"proc/7/smaps_rollup": rollup})
    assert resident_bytes(7, root) == 5 * 1024
    assert resident_bytes(8, root) == 0


@pytest.mark.parametrize(
    ("wanted", "each", "memory", "fit"),
    [(4, 1, 100, 4), (4, 30, 100, 2), (4, 90, 100, 1), (4, 900, 100, 1), (4, 0, 100, 4)],
)
def test_no_more_workers_start_than_the_memory_holds(
    wanted: int, each: int, memory: int, fit: int
) -> None:
    assert workers_that_fit(wanted, each, memory) == fit
