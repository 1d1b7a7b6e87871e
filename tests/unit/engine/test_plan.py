from __future__ import annotations

from dataclasses import replace

import pytest

from twinforge.engine.plan import Distribution, Facts, Plan, parse_os_release, plan_engine
from twinforge.errors import MissingToolError

BOOKWORM = Distribution("debian", "bookworm", "12")
TRIXIE = Distribution("debian", "trixie", "13")
JAMMY = Distribution("ubuntu", "jammy", "22.04")

BARE = Facts(
    host="unix:///var/run/docker.sock",
    chosen_by="",
    answers=False,
    refusal="",
    is_forbidden=False,
    has_client=False,
    has_buildx=False,
    dockerd_major=0,
    rival_pid=0,
    is_root=True,
    system="linux",
    distribution=BOOKWORM,
    lacks_apparmor=False,
)


def refusal(facts: Facts) -> MissingToolError:
    with pytest.raises(MissingToolError) as caught:
        plan_engine(facts)
    return caught.value


@pytest.mark.parametrize("is_root", [True, False])
def test_an_engine_that_answers_with_buildx_needs_nothing(*, is_root: bool) -> None:
    facts = replace(BARE, answers=True, has_client=True, has_buildx=True, is_root=is_root)
    assert plan_engine(facts) == Plan()


def test_a_bare_debian_12_takes_the_engine_and_nothing_else_from_the_next_release() -> None:
    plan = plan_engine(replace(BARE, has_client=True, lacks_apparmor=True))
    assert plan == Plan(
        packages=(
            "docker.io",
            "containerd",
            "iptables",
            "apparmor",
            "docker-cli",
            "docker-buildx",
        ),
        from_next_release=("docker.io", "containerd", "docker-cli", "docker-buildx"),
        starts=True,
    )


def test_a_bare_debian_13_takes_all_from_its_own_release() -> None:
    plan = plan_engine(replace(BARE, distribution=TRIXIE))
    assert plan.packages == ("docker.io", "containerd", "iptables", "docker-cli", "docker-buildx")
    assert plan.from_next_release == ()


def test_a_bare_ubuntu_has_the_client_in_its_engine_package() -> None:
    plan = plan_engine(replace(BARE, distribution=JAMMY))
    assert plan.packages == ("docker.io", "containerd", "iptables", "docker-buildx")


def test_what_is_installed_is_only_started() -> None:
    facts = replace(BARE, has_client=True, has_buildx=True, dockerd_major=26, distribution=None)
    assert plan_engine(facts) == Plan(starts=True)


def test_a_dockerd_that_is_too_old_is_replaced() -> None:
    plan = plan_engine(replace(BARE, has_client=True, dockerd_major=20))
    assert plan.packages[0] == "docker.io"
    assert "docker-cli" in plan.packages


@pytest.mark.parametrize(
    ("distribution", "has_client", "packages"),
    [
        (BOOKWORM, True, ("docker-buildx",)),
        (BOOKWORM, False, ("docker-cli", "docker-buildx")),
        (JAMMY, True, ("docker-buildx",)),
        (JAMMY, False, ("docker.io", "docker-buildx")),
    ],
)
def test_an_engine_that_answers_without_buildx_is_given_a_client_and_stays_as_it_is(
    distribution: Distribution, packages: tuple[str, ...], *, has_client: bool
) -> None:
    facts = replace(BARE, answers=True, has_client=has_client, distribution=distribution)
    plan = plan_engine(facts)
    assert plan.packages == packages
    assert not plan.starts


def test_an_engine_that_was_chosen_and_does_not_answer_is_not_replaced() -> None:
    facts = replace(BARE, host="tcp://far:2375", chosen_by="DOCKER_HOST", refusal="refused")
    error = refusal(facts)
    assert error.message == (
        "no Docker Engine answers at 'tcp://far:2375', which DOCKER_HOST names: refused"
    )
    assert "start that engine" in error.hint


def test_an_engine_that_this_user_may_not_use_is_not_reinstalled() -> None:
    error = refusal(replace(BARE, is_forbidden=True, is_root=False, refusal="denied"))
    assert error.message == (
        "this user may not use the Docker Engine at 'unix:///var/run/docker.sock': denied"
    )
    assert "add the user to the group" in error.hint


def test_a_second_engine_is_not_started_beside_another() -> None:
    error = refusal(replace(BARE, rival_pid=77))
    assert "(pid 77)" in error.message
    assert "set DOCKER_HOST" in error.hint


NOT_ROOT = """\
run 'twinforge engine ensure' as root, which installs docker.io containerd iptables docker-cli \
docker-buildx from the release after this one and starts dockerd, or set DOCKER_HOST to an engine \
that runs"""
NOT_ROOT_BUT_INSTALLED = """\
run 'twinforge engine ensure' as root, which starts dockerd, or set DOCKER_HOST to an engine that \
runs"""
UNKNOWN_LINUX = """\
install Docker Engine 23 or later with its buildx plugin (package docker-buildx or \
docker-buildx-plugin), or set DOCKER_HOST to an engine that runs"""
MAC = """\
install and start Docker Desktop (or Colima with docker-buildx), or set DOCKER_HOST to an engine \
that runs"""
ONLY_BUILDX = "install its buildx plugin (package docker-buildx or docker-buildx-plugin)"
INSTALLED = replace(BARE, has_client=True, has_buildx=True, dockerd_major=26)


@pytest.mark.parametrize(
    ("facts", "hint"),
    [
        (replace(BARE, is_root=False), NOT_ROOT),
        (replace(INSTALLED, is_root=False), NOT_ROOT_BUT_INSTALLED),
        (replace(BARE, distribution=Distribution("fedora", "", "41")), UNKNOWN_LINUX),
        (replace(BARE, system="darwin", distribution=None), MAC),
        (replace(BARE, answers=True, has_client=True, distribution=None), ONLY_BUILDX),
    ],
)
def test_who_can_not_install_is_told_exactly_what_to_install(facts: Facts, hint: str) -> None:
    assert refusal(facts).hint == hint


@pytest.mark.parametrize(
    ("distribution", "supported"),
    [
        (Distribution("debian", "bullseye", "11"), False),
        (BOOKWORM, True),
        (TRIXIE, True),
        (Distribution("debian", "forky", ""), True),
        (Distribution("ubuntu", "focal", "20.04"), False),
        (JAMMY, True),
        (Distribution("ubuntu", "odd", "rolling"), False),
        (Distribution("linuxmint", "virginia", "21.3"), False),
    ],
)
def test_only_distributions_with_a_known_way_are_installed_on(
    distribution: Distribution, *, supported: bool
) -> None:
    assert distribution.is_supported is supported


def test_os_release_is_read_with_its_quotes_and_comments() -> None:
    text = "# a comment\nID=debian\nVERSION_ID=\"12\"\nVERSION_CODENAME='bookworm'\nEMPTY=\n\n"
    assert parse_os_release(text) == BOOKWORM
