from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

import pytest

from twinforge.errors import IndexUnreachableError, LockError, MissingToolError
from twinforge.lock import uv
from twinforge.lock.resolver import Conflict, Resolved, Target
from twinforge.lock.uv_question import name_indexes, preferred_text, requirements_lines
from twinforge.process import Completed

if TYPE_CHECKING:
    from pathlib import Path

TARGET = Target("3.11", "2.36")
PYLOCK = """
lock-version = "1.0"
[[packages]]
name = "Torch"
version = "2.1.0+cu118"
wheels = [{{ url = "https://wheels.example.org/torch-2.1.0%2Bcu118-py3-none-any.whl#x", {hashes} }}]
"""
HASHES = f'hashes = {{ sha256 = "{"a" * 64}" }}'


def test_only_the_way_to_the_indexes_reaches_uv() -> None:
    kept = {
        "PATH": "/bin",
        "HOME": "/root",
        "SSL_CERT_FILE": "/ca.pem",
        "https_proxy": "http://proxy.example.org",
        "UV_INDEX_WHEELS_EXAMPLE_ORG_PASSWORD": "x",
    }
    dropped = {
        "UV_INDEX_URL": "x",
        "UV_INDEX": "x",
        "UV_RESOLUTION": "lowest",
        "PIP_INDEX_URL": "x",
        "PYTHONPATH": "x",
        "VIRTUAL_ENV": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
    }
    assert uv.clean_environment(kept | dropped) == kept


@pytest.mark.parametrize(
    ("glibc", "name"),
    [("2.17", "2_17"), ("2.30", "2_28"), ("2.36", "2_36"), ("2.41", "2_40"), ("2.100", "2_40")],
)
def test_the_platform_is_the_newest_that_is_not_above_the_base(glibc: str, name: str) -> None:
    assert uv.platform(glibc) == f"x86_64-manylinux_{name}"


@pytest.mark.parametrize("glibc", ["2.5", "1.36", "musl", "2"])
def test_a_glibc_without_wheels_is_refused(glibc: str) -> None:
    with pytest.raises(LockError, match=f"there are no wheels for glibc {glibc}"):
        uv.platform(glibc)


def test_the_wheel_is_known_by_its_file_name_and_never_by_its_host() -> None:
    assert uv._resolved(PYLOCK.format(hashes=HASHES), TARGET) == (
        Resolved("torch", "2.1.0+cu118", "torch-2.1.0+cu118-py3-none-any.whl", "a" * 64, 0),
    )


def test_a_wheel_without_hash_is_refused() -> None:
    with pytest.raises(LockError, match=r"no sha256 for 'torch-2\.1\.0"):
        uv._resolved(PYLOCK.format(hashes="size = 1"), TARGET)


@pytest.mark.parametrize("files", [[], ["x-1-cp312-cp312-manylinux_2_17_x86_64.whl"]])
def test_a_package_without_a_wheel_that_fits_is_refused(files: list[str]) -> None:
    with pytest.raises(LockError, match="did not find a wheel of an index for 'x'"):
        uv._resolved(listing(files), TARGET)


def listing(files: list[str]) -> str:
    wheels = ", ".join(f'{{ url = "https://a.example.org/{name}", {HASHES} }}' for name in files)
    return f'[[packages]]\nname = "x"\nversion = "1"\nwheels = [{wheels}]\n'


def test_of_several_wheels_the_one_that_pip_would_take_is_locked() -> None:
    best_first = [
        "x-1-2-cp311-cp311-manylinux_2_34_x86_64.whl",
        "x-1-1-cp311-cp311-manylinux_2_34_x86_64.whl",
        "x-1-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
        "x-1-cp311-abi3-manylinux_2_34_x86_64.whl",
        "x-1-cp38-abi3-manylinux2014_x86_64.whl",
        "x-1-py3-none-manylinux1_x86_64.whl",
        "x-1-py3-none-any.whl",
        "x-1-py2.py3-none-any.whl",
    ]
    unfit = ["x-1-cp311-cp311-manylinux_2_38_x86_64.whl", "x-1-cp312-cp312-linux_x86_64.whl"]
    for number, best in enumerate(best_first[:-1]):
        worse = best_first[number + 1 :]
        assert uv._resolved(listing([*worse, best, *unfit]), TARGET)[0].filename == best


def test_the_tags_are_those_of_the_target_and_not_of_this_machine() -> None:
    tags = [str(tag) for tag in uv.wheel_tags(Target("3.13", "2.17"))]
    assert tags[:2] == ["cp313-cp313-manylinux_2_17_x86_64", "cp313-cp313-manylinux2014_x86_64"]
    assert tags[-1] == "py30-none-any"


def test_a_target_for_arm64_takes_its_wheels_only() -> None:
    target = Target("3.11", "2.36", "arm64")
    fits = [
        "x-1-cp311-cp311-manylinux_2_17_aarch64.whl",
        "x-1-cp311-cp311-manylinux_2_36_x86_64.whl",
    ]
    assert uv._resolved(listing(fits), target)[0].filename == fits[0]
    with pytest.raises(LockError, match="did not find a wheel"):
        uv._resolved(listing(fits[1:]), target)
    assert uv._argv(target)[uv._argv(target).index("--python-platform") + 1] == (
        "aarch64-manylinux_2_36"
    )
    assert str(target) == "Python 3.11 on aarch64 Linux with glibc 2.36"
    assert str(TARGET) == "Python 3.11 on x86-64 Linux with glibc 2.36"


def test_preferences_are_a_lock_without_wheels() -> None:
    assert tomllib.loads(preferred_text({"b": "2", "a": "1"}))["packages"] == [
        {"name": "a", "version": "1"},
        {"name": "b", "version": "2"},
    ]


@pytest.mark.parametrize(
    "stderr",
    [
        "error: No solution found\n  cause: Because a and\n         b, no.\n\nhint: try --x\n",
        "  x No solution found:\n  ╰─▶ Because a and\n      b, no.\n\n      hint: try --x\n",
    ],
)
def test_the_explanation_is_one_line_without_hints_about_uv(stderr: str) -> None:
    assert uv._explanation(stderr) == "Because a and b, no"


def test_credentials_in_a_url_never_reach_a_message() -> None:
    assert uv._one_line("at https://me:secret@wheels.example.org/x\n") == (
        "at https://wheels.example.org/x"
    )


@pytest.mark.parametrize("line", ["numpy\n--index-url x", "-r /etc/passwd", "--index-url=x"])
def test_a_requirement_can_never_become_an_option(line: str) -> None:
    with pytest.raises(LockError, match="is not a requirement"):
        requirements_lines([line])


def test_two_indexes_of_one_host_have_two_names() -> None:
    urls = ["https://a.example.org/x", "https://a.example.org/y", "https://a.example.org/x"]
    assert name_indexes(urls) == {
        "https://a.example.org/x": "a-example-org",
        "https://a.example.org/y": "a-example-org-1",
    }


def test_nothing_asked_for_is_answered_without_asking() -> None:
    resolver = uv.UvResolver({})
    assert resolver.compile([], [], Target("3.11", "2.36"), preferences={}, indexes=()) == ()


class Uv:
    """Stands in for the child process: it keeps what it was given and answers as it is told."""

    def __init__(self, status: int = 0, stderr: str = "") -> None:
        self.status = status
        self.stderr = stderr
        self.argv: list[str] = []
        self.env: dict[str, str] = {}
        self.files: dict[str, str] = {}

    def __call__(self, argv: list[str], *, cwd: Path, env: dict[str, str], **_: Any) -> Completed:
        self.argv, self.env = argv, env
        self.files = {path.name: path.read_text() for path in cwd.iterdir()}
        (cwd / "pylock.toml").write_text(PYLOCK.format(hashes=HASHES))
        return Completed(tuple(argv), self.status, "", self.stderr)


def ask(monkeypatch: pytest.MonkeyPatch, child: Uv) -> tuple[Resolved, ...] | Conflict:
    monkeypatch.setattr(uv, "run", child)
    resolver = uv.UvResolver(
        {"PATH": "/bin", "UV_INDEX_URL": "x"}, default_index="https://me:secret@wheels.example.org/"
    )
    return resolver.compile(
        ["torch"],
        ["numpy<2"],
        Target("3.10", "2.31"),
        preferences={"numpy": "1.0"},
        indexes=["https://extra.example.org/simple"],
    )


def test_indexes_travel_in_the_environment_and_requirements_in_files(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    child = Uv()
    answer = ask(monkeypatch, child)
    assert isinstance(answer, tuple)
    assert not [argument for argument in child.argv if "example.org" in argument]
    assert child.env == {
        "NO_COLOR": "1",
        "PATH": "/bin",
        "UV_DEFAULT_INDEX": "https://me:secret@wheels.example.org/",
        "UV_INDEX": "extra-example-org=https://extra.example.org/simple",
    }
    assert child.files["requirements.in"] == "torch\n"
    assert child.files["constraints.txt"] == "numpy<2\n"
    assert 'name = "numpy"\nversion = "1.0"' in child.files["pylock.toml"]
    options = dict(zip(child.argv, child.argv[1:], strict=False))
    assert options["--python-version"] == "3.10"
    assert options["--python-platform"] == "x86_64-manylinux_2_31"
    assert options["--only-binary"] == ":all:"
    assert "--no-config" in child.argv


def test_no_solution_is_an_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    child = Uv(1, "error: No solution found\n  cause: Because of x, no.\n")
    assert ask(monkeypatch, child) == Conflict("Because of x, no")


def test_an_index_out_of_reach_is_an_error_without_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    child = Uv(2, "error: Failed to fetch: `https://me:secret@wheels.example.org/torch/`\n")
    with pytest.raises(LockError) as caught:
        ask(monkeypatch, child)
    assert "https://wheels.example.org/torch/" in caught.value.message
    assert "secret" not in caught.value.message


def test_a_package_s_own_index_is_asked_for_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    child = Uv()
    monkeypatch.setattr(uv, "run", child)
    uv.UvResolver({"PATH": "/bin"}).compile(
        ["numpy", 'torch==2.1.0+cpu; python_version > "3"'],
        [],
        TARGET,
        preferences={},
        indexes=["https://a.example.org/simple"],
        homes=[("torch", "https://a.example.org/whl/cpu")],
    )
    assert child.env["UV_INDEX"] == "a-example-org=https://a.example.org/simple"
    assert "pyproject.toml" in child.argv
    assert "requirements.in" not in child.files
    asked = tomllib.loads(child.files["pyproject.toml"])
    assert asked["project"]["dependencies"] == [
        "numpy",
        'torch==2.1.0+cpu; python_version > "3"',
    ]
    assert asked["tool"]["uv"] == {
        "sources": {"torch": {"index": "a-example-org-1"}},
        "index": [
            {
                "name": "a-example-org-1",
                "url": "https://a.example.org/whl/cpu",
                "explicit": True,
            }
        ],
    }


def test_the_index_of_the_recipe_that_does_not_answer_is_named_and_the_last_cause(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stderr = (
        "error: Request failed after 3 retries\n"
        "  cause: Failed to fetch: https://extra.example.org/simple/torch/\n"
        "  cause: client error (Connect)\n  cause: Connection refused (os error 111)\n"
    )
    with pytest.raises(IndexUnreachableError) as caught:
        ask(monkeypatch, Uv(2, stderr))
    assert caught.value.index == "https://extra.example.org/simple"
    assert caught.value.message == (
        "the index https://extra.example.org/simple is out of reach: "
        "Connection refused (os error 111)"
    )


def test_a_package_without_its_program_is_a_missing_tool(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> str:
        raise FileNotFoundError

    monkeypatch.setattr(uv, "find_uv_bin", missing)
    with pytest.raises(MissingToolError, match="'uv'"):
        ask(monkeypatch, Uv())
