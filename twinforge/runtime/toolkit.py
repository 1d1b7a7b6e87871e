"""What scripts for SageMaker's own containers find: arguments, and variables that begin with ``SM_``.

Source: sagemaker-training 5.1.4, for which such scripts are written: ``mapping.py``,
``environment.py`` and ENVIRONMENT_VARIABLES.md.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from twinforge.runtime.job import RESERVED, decode, read_config, read_settings_of_job

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from twinforge.runtime.job import Job

__all__ = ["script_arguments", "script_environment"]

_ONLY_TOGETHER = {
    "additional_framework_parameters",
    "channel_input_dirs",
    "hyperparameters",
    "is_master",
    "job_name",
    "master_hostname",
}
"""What stands in ``SM_TRAINING_ENV``, and in no variable of that name."""
_LOG_LEVEL = 20
"""``INFO`` of Python's logging."""


def script_arguments(values: Mapping[str, Any]) -> list[str]:
    """Return hyperparameters as a script gets them, by name: ``--name value``, ``-n value``.

    >>> script_arguments({"n": 3, "lr": 0.1, "on": True, "of": {"a": 1, "b": 2}, "x": None})
    ['--lr', '0.1', '-n', '3', '--of', 'a=1,b=2', '--on', 'True', '-x', '']
    """
    arguments = []
    for name, value in sorted(values.items()):
        text = "" if value is None else str(value)
        if isinstance(value, dict):
            text = ",".join(f"{key}={one}" for key, one in sorted(value.items()))
        arguments += [f"{'-' if len(name) == 1 else '--'}{name}", text]
    return arguments


def script_environment(job: Job, folder: Path, program: str) -> dict[str, str]:
    """Return the variables of a script.

    Args:
        job: The job.
        folder: That of the script's code.
        program: The script's path below it.
    """
    facts = _facts(job, folder, program)
    more = {
        "hps": facts["hyperparameters"],
        "channels": sorted(job.channels),
        "framework_params": facts["additional_framework_parameters"],
        "user_args": script_arguments(job.hyperparameters),
        "training_env": facts,
        **{f"channel_{name}": str(channel.path) for name, channel in job.channels.items()},
        **{f"hp_{name}": value for name, value in job.hyperparameters.items()},
    }
    named = {name: value for name, value in facts.items() if name not in _ONLY_TOGETHER}
    return {f"SM_{name.upper()}": _text(value) for name, value in {**named, **more}.items()}


def _facts(job: Job, folder: Path, program: str) -> dict[str, Any]:
    resources, config = job.resources, read_config(job.root, "resourceconfig.json")
    settings, given = read_settings_of_job(job.root), read_config(job.root, "hyperparameters.json")
    groups = config.get("instance_groups", [])
    by_name = {one.get("instance_group_name", ""): one for one in groups}
    level = settings.get("sagemaker_container_log_level", "")
    return {
        "additional_framework_parameters": {
            name: decode(given[name])
            for name in settings
            if name not in RESERVED and isinstance(given[name], str)
        },
        "channel_input_dirs": {name: str(one.path) for name, one in job.channels.items()},
        "current_host": resources.current_host,
        "current_instance_group": resources.group,
        "current_instance_group_hosts": by_name.get(resources.group, {}).get("hosts", []),
        "current_instance_type": resources.instance_type,
        "distribution_instance_groups": [],
        "framework_module": None,
        "hosts": list(resources.hosts),
        "hyperparameters": dict(job.hyperparameters),
        "input_config_dir": str(job.root / "input/config"),
        "input_data_config": read_config(job.root, "inputdataconfig.json"),
        "input_dir": str(job.root / "input"),
        "instance_groups": list(by_name),
        "instance_groups_dict": by_name,
        "is_hetero": len(by_name) > 1,
        "is_master": resources.rank == 0,
        "job_name": job.name,
        "log_level": int(level) if level.isdecimal() else _LOG_LEVEL,
        "master_hostname": resources.hosts[0],
        "model_dir": str(job.model_dir),
        "module_dir": str(folder),
        "module_name": program.removesuffix(".py"),
        "network_interface_name": resources.network_interface,
        "num_cpus": resources.cores,
        "num_gpus": resources.gpus,
        "num_neurons": 0,
        "output_data_dir": str(job.output_dir),
        "output_dir": str(job.root / "output"),
        "output_intermediate_dir": str(job.root / "output/intermediate"),
        "resource_config": config,
        "user_entry_point": program,
    }


def _text(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
