"""The verb ``push``."""
COMMANDS = ()
