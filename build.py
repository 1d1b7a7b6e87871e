"""The ``twinforge`` program, from a checkout: ``python build.py ...`` needs no installation.

Where the Python that runs this lacks a dependency, the environment that ``nox -s build`` made is
used in its place.
"""

import os
import sys
from pathlib import Path

_ENVIRONMENT = Path(__file__).resolve().parent / ".nox" / "build" / "bin" / "python"
_MISSING_PROGRAM = 7  # as twinforge.errors.MissingToolError ends the program


def main() -> None:
    """Run the program and end the process with its exit status."""
    try:
        from twinforge.cli import main as run  # noqa: PLC0415 - its dependencies may be missing
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "twinforge":
            raise
        if _ENVIRONMENT.exists() and Path(sys.prefix) != _ENVIRONMENT.parents[1]:
            os.execv(_ENVIRONMENT, [str(_ENVIRONMENT), *sys.argv])  # noqa: S606 - no shell, on purpose
        sys.stderr.write(
            f"error: the Python package '{error.name}' is not installed\n"
            "hint: run `python3 -m nox -s build` once, or `python3 -m pip install -e .`\n"
        )
        sys.exit(_MISSING_PROGRAM)
    run()


if __name__ == "__main__":
    main()
