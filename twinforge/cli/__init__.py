"""The command line: argv -> api -> print -> exit status. Alone in reading the environment."""

from twinforge.cli.main import main

__all__ = ["main"]
