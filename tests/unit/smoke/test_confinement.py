from __future__ import annotations

from twinforge.smoke.confinement import Confinement


def test_nothing_is_limited_that_is_not_named() -> None:
    assert Confinement().options() == {"network": "none"}
    assert Confinement().folders_in_memory() == {}


def test_limits_are_told_as_the_engine_takes_them() -> None:
    confined = Confinement(
        network="inside", read_only_root=True, user="1000:1000", memory_bytes=1 << 30, cpus=1.5
    )
    assert confined.options() == {
        "network": "inside",
        "read_only": True,
        "user": "1000:1000",
        "mem_limit": 1 << 30,
        "memswap_limit": 1 << 30,
        "nano_cpus": 1_500_000_000,
    }


def test_a_read_only_root_has_a_tmp_that_can_be_written_unless_it_is_named() -> None:
    plain = Confinement(read_only_root=True)
    assert plain.folders_in_memory() == {"/tmp": "mode=1777"}
    named = Confinement(read_only_root=True, tmpfs={"/tmp": "size=1m", "/run": ""})
    assert named.folders_in_memory() == {"/tmp": "size=1m", "/run": ""}
