"""``serve``: what an endpoint starts."""

from __future__ import annotations

import os
import sys
from functools import partial

from twinforge.runtime.machine import read_machine
from twinforge.runtime.settings import SettingsError, read_settings
from twinforge.runtime.supervisor import Supervisor
from twinforge.runtime.worker import Place, run_worker

__all__ = ["main"]


def main() -> int:
    """Serve until SIGTERM, and return the exit status."""
    machine = read_machine()
    try:
        settings = read_settings(os.environ, machine)
    except SettingsError as error:
        sys.stderr.write(f"serve: {error}\n")
        return 1
    return Supervisor(settings, machine, partial(run_worker, settings, machine), Place).serve()
