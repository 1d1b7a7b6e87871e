"""``train`` of the runtime, as a process with an ``/opt/ml`` of its own."""

from __future__ import annotations

import io
import json
import os
import secrets
import signal
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tests.engine.runtime_process import DEADLINE_S, PROGRAMS, ROOT, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

pytestmark = pytest.mark.engine

SCRIPT = """
import argparse, json, os, pathlib, sys
import neighbour
parser = argparse.ArgumentParser()
parser.add_argument("--depth", type=int)
parser.add_argument("--model-dir", default=os.environ["SM_MODEL_DIR"])
args = parser.parse_args()
facts = {"depth": args.depth, "channel": os.environ["SM_CHANNEL_TRAINING"], "cwd": os.getcwd(),
         "hps": json.loads(os.environ["SM_HPS"]), "neighbour": neighbour.NAME}
pathlib.Path(args.model_dir, "facts.json").write_text(json.dumps(facts))
"""
TRAINER_OF_A_NOTEBOOK = """
def train(job):
    (job.model_dir / "model").write_text(str(job.hyperparameters))
"""
WRITE_NAMES = """
names = f"{above.NAME} {beside.NAME}"
pathlib.Path(os.environ["SM_MODEL_DIR"], "names").write_text(names)
"""
SAVES_AT_THE_END = """
import os, pathlib, signal, sys, time
model = pathlib.Path(os.environ["SM_MODEL_DIR"])
def stop(*_):
    time.sleep(0.5)
    (model / "saved").touch()
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
(model / "begun").touch()
time.sleep(3600)
"""
TRAIN = (str(PROGRAMS / "train"),)
HURRIED = ("-c", "import sys; from twinforge.runtime.train import main; sys.exit(main(grace_s=1))")
"""As ``TRAIN``, and a trainer that does not stop is killed after a second."""

AWS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "eu-west-1",
}


@dataclass(frozen=True, slots=True)
class Ended:
    """A run that has ended."""

    status: int
    log: str
    root: Path

    @property
    def failure(self) -> str | None:
        """What the failure file says, if there is one."""
        path = self.root / "output/failure"
        return path.read_text("utf-8") if path.exists() else None


def write_job(
    folder: Path,
    hyperparameters: Mapping[str, str] | None = None,
    channels: Mapping[str, str] | None = None,
) -> Path:
    """Write ``/opt/ml``; channels are given with their input modes."""
    root = folder / "opt-ml"
    config = root / "input/config"
    config.mkdir(parents=True)
    modes = {name: {"TrainingInputMode": mode} for name, mode in (channels or {}).items()}
    (config / "hyperparameters.json").write_text(json.dumps(hyperparameters or {}))
    (config / "inputdataconfig.json").write_text(json.dumps(modes))
    hosts = {"current_host": "algo-2", "hosts": ["algo-1", "algo-2"]}
    (config / "resourceconfig.json").write_text(json.dumps(hosts))
    for name in channels or {}:
        (root / "input/data" / name).mkdir(parents=True)
    return root


def start(
    folder: Path, trainer: str, root: Path, program: tuple[str, ...] = TRAIN, **env: str
) -> subprocess.Popen[str]:
    path = folder / "trainer.py"
    path.write_text(trainer, "utf-8")
    own = {"TWINFORGE_OPT_ML": str(root), "TWINFORGE_TRAINER": str(path), "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, *program],
        env={**os.environ, **own, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run(folder: Path, trainer: str, root: Path, **env: str) -> Ended:
    child = start(folder, trainer, root, TRAIN, **env)
    log, _ = child.communicate(timeout=DEADLINE_S)
    return Ended(child.returncode, log, root)


def pack(*members: tuple[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, text in members:
            info = tarfile.TarInfo(name)
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
    return buffer.getvalue()


def test_a_trainer_sees_its_job_and_its_metrics_are_looked_for(tmp_path: Path) -> None:
    trainer = """
import os
from dataclasses import dataclass

METRICS = {"loss": r"loss=([0-9.]+);", "accuracy": r"accuracy=([0-9.]+);"}

@dataclass
class Chosen:
    depth: int
    rate: float = 0.1

def train(job):
    chosen = job.parse(Chosen)
    for step in (3, 2):
        os.write(1, f"loss={step}.5;\\n".encode())  # as native code prints
    [file] = job.channel("training").files()
    (job.model_dir / "model").write_text(f"{chosen} {file.read_text()} {job.resources.rank}")
    (job.output_dir / "report").touch()
"""
    root = write_job(tmp_path, {"depth": '"4"', "rate": "0.5"}, {"training": "File"})
    (root / "input/data/training/data.csv").write_text("1,2")
    ended = run(tmp_path, trainer, root)
    assert (ended.status, ended.failure) == (0, None), ended.log
    assert (root / "model/model").read_text() == "Chosen(depth=4, rate=0.5) 1,2 1"
    assert (root / "output/data/report").exists()
    assert ended.log.splitlines()[-2:] == [
        "train: the metric 'loss' was found 2 times, its last value is 2.5",
        "train: warning: the metric 'accuracy' is declared, and the log never had it",
    ]


def test_an_exception_is_the_failure_and_its_traceback_is_in_the_log(tmp_path: Path) -> None:
    trainer = "def train(job): raise OSError('x' * 2000)"
    ended = run(tmp_path, trainer, write_job(tmp_path))
    assert ended.status == 1
    assert ended.failure == f"OSError: {'x' * 1015}"
    assert "Traceback (most recent call last)" in ended.log
    assert "in train" in ended.log


def test_what_a_job_asks_for_in_vain_is_said_without_the_name_of_an_exception(
    tmp_path: Path,
) -> None:
    trainer = """
from dataclasses import dataclass
@dataclass
class Chosen:
    depth: int = 1
def train(job): job.parse(Chosen)
"""
    ended = run(tmp_path, trainer, write_job(tmp_path, {"dephth": "1"}))
    assert (ended.status, ended.failure) == (1, "unknown hyperparameter 'dephth' (known: depth)")


@pytest.mark.parametrize(
    ("trainer", "status", "failure"),
    [
        (
            "import os\ndef train(job): os.kill(os.getpid(), 9)",
            137,
            "the trainer was killed by SIGKILL, perhaps because memory ran out",
        ),
        ("import sys\ndef train(job): sys.exit(3)", 3, "the trainer ended with status 3"),
        ("import sys\ndef train(job): sys.exit('no data')", 1, "no data"),
        ("def other(job): ...", 1, "defines no function 'train'"),
        ("import sys\ndef train(job): sys.exit(256)", 1, "the trainer ended with status 256"),
        ("async def train(job): ...", 1, "trainer.py' is 'async', and nobody awaits it"),
        ("def train(job): yield job", 1, "holds a 'yield', so that nothing of it ran"),
        ("def train(job): raise ValueError('half \\ud800')", 1, "ValueError: half ?"),
        (
            "class Odd(Exception):\n  def __str__(self): return 1 / 0\ndef train(job): raise Odd",
            1,
            "Odd: its text can't be had: ZeroDivisionError",
        ),
        (
            "METRICS = {'loss': 'loss=.*'}\ndef train(job): (job.model_dir / 'm').touch()",
            1,
            "the metric 'loss' has 0 groups in its regular expression, not 1",
        ),
    ],
)
def test_every_way_to_fail_leaves_a_reason(
    tmp_path: Path, trainer: str, status: int, failure: str
) -> None:
    ended = run(tmp_path, trainer, write_job(tmp_path))
    assert ended.status == status
    assert ended.failure is not None
    assert ended.failure.endswith(failure)
    assert not list((ended.root / "model").iterdir())


def test_a_metric_that_never_ends_and_many_long_ones_do_not_hold_the_job_up(tmp_path: Path) -> None:
    trainer = r"""
METRICS = {"bad": r"(?:x+)+(y)", **{f"m{n}": "(" + "\u00e9" * 498 + ")" for n in range(39)}}
def train(job):
    print("x" * 60)
    (job.model_dir / "model").touch()
"""
    ended = run(tmp_path, trainer, write_job(tmp_path))
    assert ended.status == 0, ended.log
    said = "the regular expression of the metric 'bad' took too long for the log"
    assert f"train: warning: {said}, and was given up" in ended.log


def test_a_crash_of_native_code_is_the_failure_and_the_log_says_where(tmp_path: Path) -> None:
    trainer = "import ctypes\ndef train(job): ctypes.string_at(0)"
    ended = run(tmp_path, trainer, write_job(tmp_path))
    assert (ended.status, ended.failure) == (139, "the trainer was killed by SIGSEGV")
    assert 'trainer.py", line 2 in train' in ended.log


def test_sigterm_lets_the_trainer_end_and_keeps_its_checkpoints(tmp_path: Path) -> None:
    trainer = """
import time
def train(job):
    (job.checkpoint_dir / "begun").touch()
    while not job.stopping:
        time.sleep(0.01)
    time.sleep(0.5)
    (job.checkpoint_dir / "last").write_text("saved")
"""
    root = write_job(tmp_path)
    child = start(tmp_path, trainer, root)
    wait_until((root / "checkpoints/begun").exists, "the trainer does not begin")
    child.send_signal(signal.SIGTERM)
    log, _ = child.communicate(timeout=DEADLINE_S)
    assert (child.returncode, log) == (0, "train: stopped, with status 0\n")
    assert (root / "checkpoints/last").read_text() == "saved"
    assert not (root / "output/failure").exists()


def test_a_trainer_that_ignores_sigterm_is_killed_and_its_checkpoints_are_kept(
    tmp_path: Path,
) -> None:
    trainer = """
import itertools, os, signal, sys, time
def train(job):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    job.checkpoint_dir.mkdir(exist_ok=True)
    (job.checkpoint_dir / "last").write_text("saved")
    (job.checkpoint_dir / "pid").write_text(str(os.getpid()))
    (job.checkpoint_dir / "begun").touch()
    for step in itertools.count():
        sys.stdout.write(f"step {step}\\n")  # at once, so that a line is whole or not there
        time.sleep(0.1)
"""
    root = write_job(tmp_path)
    child = start(tmp_path, trainer, root, HURRIED)
    wait_until((root / "checkpoints/begun").exists, "the trainer does not begin")
    child.send_signal(signal.SIGTERM)
    log, _ = child.communicate(timeout=DEADLINE_S)
    steps = [line for line in log.splitlines() if not line.startswith("train: ")]
    assert steps == [f"step {number}" for number in range(len(steps))]
    assert [line for line in log.splitlines() if line.startswith("train: ")] == [
        "train: the trainer did not stop within 1 s and was killed",
        "train: stopped, with status 137",
    ]
    assert child.returncode == 128 + signal.SIGKILL
    with pytest.raises(ProcessLookupError):
        os.kill(int((root / "checkpoints/pid").read_text()), 0)
    assert (root / "checkpoints/last").read_text() == "saved"
    assert not (root / "output/failure").exists()


def test_what_train_says_is_no_part_of_the_trainer_s_last_line(tmp_path: Path) -> None:
    trainer = "METRICS = {'loss': 'loss=(.*)'}\ndef train(job): print('loss=1', end='')"
    log = run(tmp_path, trainer, write_job(tmp_path)).log
    assert log == "loss=1\ntrain: the metric 'loss' was found 1 times, its last value is 1\n"


def test_a_trainer_that_is_silent_and_ignores_sigterm_is_killed_too(tmp_path: Path) -> None:
    trainer = """
import signal, time
def train(job):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    job.checkpoint_dir.mkdir(exist_ok=True)
    (job.checkpoint_dir / "begun").touch()
    time.sleep(3600)
"""
    root = write_job(tmp_path)
    child = start(tmp_path, trainer, root, HURRIED)
    wait_until((root / "checkpoints/begun").exists, "the trainer does not begin")
    child.send_signal(signal.SIGTERM)
    log, _ = child.communicate(timeout=DEADLINE_S)
    assert (child.returncode, log.splitlines()[-1]) == (137, "train: stopped, with status 137")


def test_a_pipe_is_read_when_it_appears(tmp_path: Path) -> None:
    trainer = """
def train(job):
    with job.channel("training").open_pipe(0) as pipe:
        (job.model_dir / "model").write_bytes(pipe.read())
"""
    root = write_job(tmp_path, channels={"training": "Pipe"})
    child = start(tmp_path, trainer, root)
    pipe = root / "input/data/training_0"
    os.mkfifo(pipe)
    pipe.write_bytes(b"records")
    log, _ = child.communicate(timeout=DEADLINE_S)
    assert child.returncode == 0, log
    assert (root / "model/model").read_bytes() == b"records"


def test_an_entry_point_from_a_folder_runs_as_sagemaker_s_scripts_do(tmp_path: Path) -> None:
    code = tmp_path / "code"
    code.mkdir()
    (code / "entry.py").write_text(SCRIPT)
    (code / "neighbour.py").write_text("NAME = 'n'")
    (code / "requirements.txt").write_text("no-such-package")
    given = {
        "sagemaker_program": '"entry.py"',
        "sagemaker_submit_directory": json.dumps(str(code)),
        "depth": "4",
    }
    root = write_job(tmp_path, given, {"training": "File"})
    ended = run(tmp_path, "raise AssertionError", root)
    assert ended.status == 0, ended.log
    assert "requirements.txt is not installed" in ended.log
    assert "add to the recipe what this image has not: no-such-package" in ended.log
    assert json.loads((root / "model/facts.json").read_text()) == {
        "depth": 4,
        "channel": str(root / "input/data/training"),
        "cwd": str(code),
        "hps": {"depth": 4},
        "neighbour": "n",
    }


def test_an_entry_point_may_be_a_trainer_or_a_shell_script(tmp_path: Path) -> None:
    code = tmp_path / "code"
    code.mkdir()
    (code / "mine.py").write_text(TRAINER_OF_A_NOTEBOOK)
    (code / "mine.sh").write_text('echo "$@" > "$SM_MODEL_DIR/model"; exit 4')
    root = write_job(tmp_path, {"depth": "4"})
    env = {"SAGEMAKER_SUBMIT_DIRECTORY": str(code)}
    assert run(tmp_path, "", root, SAGEMAKER_PROGRAM="mine.py", **env).status == 0
    assert (root / "model/model").read_text() == "{'depth': 4}"
    ended = run(tmp_path, "", root, SAGEMAKER_PROGRAM="mine.sh", **env)
    assert (ended.status, ended.failure) == (4, "the trainer ended with status 4")
    assert (root / "model/model").read_text() == "--depth 4\n"


def test_an_entry_point_in_a_folder_finds_what_lies_beside_it_and_above(tmp_path: Path) -> None:
    code = tmp_path / "code"
    (code / "src").mkdir(parents=True)
    (code / "src/entry.py").write_text("import above, beside, os, pathlib\n" + WRITE_NAMES)
    (code / "src/beside.py").write_text("NAME = 'beside'")
    (code / "above.py").write_text("NAME = 'above'")
    given = {"sagemaker_program": "src/entry.py", "sagemaker_submit_directory": f"file://{code}"}
    ended = run(tmp_path, "", write_job(tmp_path, given))
    assert ended.status == 0, ended.log
    assert (ended.root / "model/names").read_text() == "above beside"


def test_a_shell_script_is_run_by_what_it_names(tmp_path: Path) -> None:
    code = tmp_path / "code"
    code.mkdir()
    (code / "bash.sh").write_text('#!/bin/bash\na=(1 2)\necho "${a[1]}" > "$SM_MODEL_DIR/model"')
    (code / "none.sh").write_text("#!/no/such/shell\n")
    (code / "killed.sh").write_text("kill -9 $$")
    root = write_job(tmp_path)
    env = {"SAGEMAKER_SUBMIT_DIRECTORY": str(code)}
    assert run(tmp_path, "", root, SAGEMAKER_PROGRAM="bash.sh", **env).status == 0
    assert (root / "model/model").read_text() == "2\n"
    ended = run(tmp_path, "", root, SAGEMAKER_PROGRAM="none.sh", **env)
    said = "the program can't be run by '/no/such/shell': No such file or directory"
    assert (ended.status, ended.failure) == (1, said)
    (root / "output/failure").unlink()
    ended = run(tmp_path, "", root, SAGEMAKER_PROGRAM="killed.sh", **env)
    said = "the trainer was killed by SIGKILL, perhaps because memory ran out"
    assert (ended.status, ended.failure) == (137, said)


def test_sigterm_reaches_what_a_shell_script_runs_and_that_has_its_time(tmp_path: Path) -> None:
    code = tmp_path / "code"
    code.mkdir()
    (code / "entry.sh").write_text(f'{sys.executable} work.py\necho "not reached"')
    (code / "work.py").write_text(SAVES_AT_THE_END)
    root = write_job(tmp_path)
    env = {"SAGEMAKER_SUBMIT_DIRECTORY": str(code), "SAGEMAKER_PROGRAM": "entry.sh"}
    child = start(tmp_path, "", root, TRAIN, **env)
    wait_until((root / "model/begun").exists, "the script does not begin")
    child.send_signal(signal.SIGTERM)
    log, _ = child.communicate(timeout=DEADLINE_S)
    assert (root / "model/saved").exists()
    assert log == f"train: stopped, with status {128 + signal.SIGTERM}\n"


def test_a_launcher_that_a_job_asks_for_in_vain_is_said(tmp_path: Path) -> None:
    code = tmp_path / "code"
    code.mkdir()
    (code / "entry.py").write_text("import sys; print(sys.argv[1:])")
    given = {"sagemaker_mpi_enabled": "true", "sagemaker_parameter_server_enabled": "false"}
    env = {"SAGEMAKER_SUBMIT_DIRECTORY": str(code), "SAGEMAKER_PROGRAM": "entry.py"}
    ended = run(tmp_path, "", write_job(tmp_path, given), **env)
    assert ended.log == (
        "train: warning: 'sagemaker_mpi_enabled' is true, and there is no launcher here: the "
        "script is run once on each host\n[]\n"
    )


def test_a_value_that_no_script_can_have_is_named(tmp_path: Path) -> None:
    code = tmp_path / "code"
    code.mkdir()
    (code / "entry.py").touch()
    env = {"SAGEMAKER_SUBMIT_DIRECTORY": str(code), "SAGEMAKER_PROGRAM": "entry.py"}
    ended = run(tmp_path, "", write_job(tmp_path, {"name": '"\\u0000"'}), **env)
    assert ended.failure == "'SM_HP_NAME' can't be a variable of the script: embedded null byte"


@pytest.mark.parametrize(
    ("program", "directory", "failure"),
    [
        ("missing.py", "{code}", "the program 'missing.py' is not in '{code}'"),
        ("../entry.py", "{code}", "the program '../entry.py' is not a path inside its folder"),
        ("entry.rb", "{code}", "is neither a Python file nor a shell script"),
        ("entry.py", "{code}/none", "the submit directory '{code}/none' does not exist"),
        ("entry.py", "{code}/evil.tar.gz", "the archive holds '../evil', which lies outside"),
        ("entry.py", "{code}/link.tar.gz", "the archive holds 'link', which is a link or"),
        ("entry.py", "{code}/torn.tar.gz", "the archive 'torn.tar.gz' can't be unpacked"),
        ("entry.py", "{code}/cut.tar.gz", "the archive 'cut.tar.gz' can't be unpacked"),
        ("entry.py", "{code}/both.tar.gz", "the archive 'both.tar.gz' can't be unpacked"),
        ("entry.py", "{code}/entry.rb", "the archive 'entry.rb' can't be unpacked"),
    ],
)
def test_code_that_can_t_be_used_is_named(
    tmp_path: Path, program: str, directory: str, failure: str
) -> None:
    code = tmp_path / "code"
    code.mkdir()
    (code / "entry.rb").write_text("puts 1")
    (code / "evil.tar.gz").write_bytes(pack(("../evil", "x"), ("entry.py", "")))
    (code / "both.tar.gz").write_bytes(pack(("entry.py", ""), ("entry.py/x", "")))
    whole = pack(("entry.py", secrets.token_hex(40_000)))
    (code / "cut.tar.gz").write_bytes(whole[:-5000])
    (code / "torn.tar.gz").write_bytes(whole[:20_000] + bytes(100) + whole[20_100:])
    with tarfile.open(code / "link.tar.gz", "w:gz") as tar:
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    given = {
        "sagemaker_program": program,
        "sagemaker_submit_directory": directory.format(code=code),
    }
    ended = run(tmp_path, "", write_job(tmp_path, given))
    assert ended.status == 1
    assert ended.failure is not None
    assert failure.format(code=code) in ended.failure
    assert not (tmp_path / "evil").exists()


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def test_code_comes_from_s3_as_an_archive_or_a_folder(tmp_path: Path, s3: str) -> None:
    client = boto3.client(
        "s3",
        endpoint_url=s3,
        region_name=AWS["AWS_DEFAULT_REGION"],
        aws_access_key_id=AWS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=AWS["AWS_SECRET_ACCESS_KEY"],
    )
    client.create_bucket(
        Bucket="code", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    files = (("entry.py", TRAINER_OF_A_NOTEBOOK), ("package/part.py", ""))
    client.put_object(Bucket="code", Key="job/sourcedir.tar.gz", Body=pack(*files))
    for name, text in files:
        client.put_object(Bucket="code", Key=f"folder/{name}", Body=text.encode())
    env = {**AWS, "AWS_ENDPOINT_URL": s3}
    for number, key in enumerate(("job/sourcedir.tar.gz", "folder", "missing/sourcedir.tar.gz")):
        folder = tmp_path / str(number)
        folder.mkdir()
        given = {
            "sagemaker_program": "entry.py",
            "sagemaker_submit_directory": f"s3://code/{key}",
            "depth": "4",
        }
        ended = run(folder, "", write_job(folder, given), **env)
        if "missing" in key:
            assert ended.failure is not None
            assert ended.failure.startswith(f"the code at 's3://code/{key}' can't be fetched: ")
            continue
        assert ended.status == 0, ended.log
        assert (ended.root / "model/model").read_text() == "{'depth': 4}"
        assert (ended.root / "code/package/part.py").exists()


def test_code_in_s3_needs_a_boto3_that_is_in_the_image(tmp_path: Path) -> None:
    stub = tmp_path / "boto3.py"
    stub.write_text("raise ImportError")
    given = {"sagemaker_program": "entry.py", "sagemaker_submit_directory": '"s3://code/x.tar.gz"'}
    ended = run(
        tmp_path, "", write_job(tmp_path, given), PYTHONPATH=f"{tmp_path}{os.pathsep}{ROOT}"
    )
    assert ended.status == 1
    assert ended.failure == (
        "the code at 's3://code/x.tar.gz' needs boto3, which this image has not and nothing is "
        "installed at start: add boto3 to the recipe's packages"
    )
