"""The machine's own files that decide how an engine gets onto it."""

from __future__ import annotations

from pathlib import Path

from twinforge.engine.plan import Distribution, parse_os_release

__all__ = ["APT_DIR", "has_systemd", "lacks_apparmor", "read_distribution"]

APT_DIR = Path("/etc/apt")
OS_RELEASE = (Path("/etc/os-release"), Path("/usr/lib/os-release"))
SYSTEMD = Path("/run/systemd/system")
APPARMOR = Path("/sys/module/apparmor/parameters/enabled")
APPARMOR_PARSERS = (Path("/sbin/apparmor_parser"), Path("/usr/sbin/apparmor_parser"))


def read_distribution() -> Distribution | None:
    """Return the distribution of this machine, or None where it does not say."""
    for path in OS_RELEASE:
        if path.is_file():
            return parse_os_release(path.read_text(encoding="utf-8"))
    return None


def lacks_apparmor() -> bool:
    """Whether the kernel enforces AppArmor and its parser, which dockerd then needs, is missing."""
    try:
        is_on = APPARMOR.read_text(encoding="ascii").startswith("Y")
    except OSError:
        return False
    return is_on and not any(path.exists() for path in APPARMOR_PARSERS)


def has_systemd() -> bool:
    """Whether systemd runs this machine (sd_booted(3))."""
    return SYSTEMD.is_dir()
