"""The unit: that systemd takes it, that its numbers agree with Gunicorn's, and that its commands do what it says."""

import http.server
import json
import operator
import os
import re
import select
import shutil
import socket
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import joblib
import pytest

from app.settings import GRACE_SECONDS, ROOT, Settings

UNIT = ROOT / "deploy/systemd/forkcast.service"
SOCKETS = UNIT.with_suffix(".socket")
CONSUMER = UNIT.with_name("forkcast-consumer.service")
TUNED = UNIT.with_name("tuned.conf")
INSTALLED = "/opt/forkcast/"
SYSTEMD_UNITS = Path("/usr/lib/systemd/system")
READ_TIMEOUTS = """
import json, runpy
configuration = runpy.run_path("gunicorn.conf.py")
print(json.dumps({name: configuration[name] for name in ("graceful_timeout", "timeout")}))
"""


def directives(name: str, unit: Path = UNIT) -> list[str]:
    lines = unit.read_text().splitlines()
    return [line.removeprefix(f"{name}=") for line in lines if line.startswith(f"{name}=")]


def in_checkout(path: str) -> Path:
    """Where this machine has what the unit names under its installed path."""
    here = path.replace(f"{INSTALLED}.venv/bin/", f"{Path(sys.executable).parent}/")
    return Path(here.replace(INSTALLED, f"{ROOT}/"))


def run_as_in_unit(command: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    arguments = [str(in_checkout(word)) if word.startswith("/") else word for word in command.split()]
    return subprocess.run(arguments, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)


def inodes(paths: Iterable[Path]) -> dict[str, int]:
    """Each file and folder as what it is, so that one that was removed and made again is another."""
    return {str(path): path.stat().st_ino for path in paths}


def executables() -> list[str]:
    names = ("ExecStart", "ExecStartPost", "ExecReload")
    commands = [command for unit in (UNIT, CONSUMER) for name in names for command in directives(name, unit)]
    return [command.split()[0] for command in commands]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
@pytest.mark.skipif(not SYSTEMD_UNITS.is_dir(), reason=f"systemd's own units are not in {SYSTEMD_UNITS}")
@pytest.mark.parametrize("unit", [UNIT, SOCKETS, CONSUMER], ids=lambda unit: unit.name)
def test_systemd_verifies_the_unit_without_a_word(tmp_path, unit):
    # A root in which everything is where the unit says; each executable is there only if this machine has it.
    shutil.copytree(SYSTEMD_UNITS, tmp_path / "usr/lib/systemd/system", symlinks=True)
    for each in (UNIT, SOCKETS, CONSUMER):
        shutil.copy(each, tmp_path / "usr/lib/systemd/system")
    drop_ins = tmp_path / "etc/systemd/system/forkcast.service.d"
    drop_ins.mkdir(parents=True)
    shutil.copy(TUNED, drop_ins)
    for executable in executables():
        copy = tmp_path / executable.removeprefix("/")
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(in_checkout(executable), copy)

    command = ["systemd-analyze", "verify", "--recursive-errors=no", f"--root={tmp_path}", unit.name]
    verified = subprocess.run(command, capture_output=True, text=True)

    assert (verified.returncode, verified.stdout, verified.stderr) == (0, "", "")


def test_the_sockets_that_systemd_holds_are_those_of_the_settings_in_the_order_that_is_relied_upon():
    defaults = {name: field.default for name, field in Settings.model_fields.items()}

    held = re.findall(r"^ListenStream=(.*)$", SOCKETS.read_text(), re.MULTILINE)

    assert held == [f"{defaults['host']}:{defaults['port']}", f"{defaults['ops_host']}:{defaults['ops_port']}"]


@pytest.mark.parametrize("unit", [UNIT, CONSUMER], ids=lambda unit: unit.name)
def test_every_file_that_the_unit_names_is_in_the_checkout(unit):
    settings = [line for line in unit.read_text().splitlines() if not line.startswith("#")]
    named = re.findall(rf"{INSTALLED}\S+", "\n".join(settings))

    missing = [path for path in named if not in_checkout(path).is_file()]

    assert named
    assert missing == []


def test_both_units_keep_jobs_in_one_file_that_they_may_write():
    urls = [
        directive.removeprefix("FORKCAST_JOBS_URL=")
        for unit in (UNIT, CONSUMER)
        for directive in directives("Environment", unit)
    ]

    folders = [f"/var/lib/{name}" for unit in (UNIT, CONSUMER) for name in directives("StateDirectory", unit)]
    assert urls == [f"sqlite:///{folder}/jobs.db" for folder in folders]
    assert len(set(urls)) == 1


def test_the_consumer_is_confined_as_the_server_is():
    confining = ("UMask", "LimitCORE", "NoNewPrivileges", "PrivateTmp", "ProtectSystem", "ProtectHome", "User")

    assert [directives(name, CONSUMER) for name in confining] == [directives(name) for name in confining]


def test_the_consumer_has_time_to_give_back_what_it_runs():
    request_timeout = Settings.model_fields["request_timeout_seconds"].default

    (stop,) = directives("TimeoutStopSec", CONSUMER)

    assert request_timeout + 2 * GRACE_SECONDS < int(stop)


def test_each_timeout_leaves_time_for_the_one_before_it(environment):
    request_timeout = Settings.model_fields["request_timeout_seconds"].default
    command = [sys.executable, "-c", READ_TIMEOUTS]
    read = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True, timeout=60)
    gunicorn = json.loads(read.stdout)

    (stop,), (start,) = directives("TimeoutStopSec"), directives("TimeoutStartSec")
    wait_ready = directives("ExecStartPost")[0].split()[-1]

    assert request_timeout < gunicorn["graceful_timeout"] < gunicorn["timeout"]
    # A stop may have to wait for two generations of workers, one after the other.
    assert 2 * gunicorn["graceful_timeout"] < int(stop)
    assert int(wait_ready) < int(start)


def test_a_reload_checks_the_configuration_before_it_signals():
    check, signal = directives("ExecReload")

    assert check == f"{directives('ExecStart')[0]} --check-config app.main:create_app"
    assert signal == "/bin/kill -HUP $MAINPID"


def test_the_check_before_a_reload_leaves_the_running_servers_state_alone(server):
    runtime_directory = Path(server.environment["RUNTIME_DIRECTORY"])
    before = inodes(runtime_directory.rglob("*"))

    checked = run_as_in_unit(directives("ExecReload")[0], server.environment)

    assert checked.returncode == 0, checked.stderr
    assert len(list(runtime_directory.rglob("*.db"))) > 0
    assert before.items() <= inodes(runtime_directory.rglob("*")).items()
    assert inodes(runtime_directory.iterdir()).items() <= before.items()


def test_the_check_before_a_reload_fails_at_a_wrong_setting(environment):
    environment["FORKCAST_THREDS"] = "2"

    checked = run_as_in_unit(directives("ExecReload")[0], environment)

    assert checked.returncode == 1
    assert "FORKCAST_THREDS is not a setting" in checked.stderr


def test_the_wait_after_the_start_ends_once_the_server_is_ready(server):
    waited = run_as_in_unit(directives("ExecStartPost")[0], server.environment)

    assert waited.returncode == 0, waited.stderr


def test_the_wait_after_the_start_goes_on_while_the_answer_is_503(environment):
    statuses = [503, 503, 200]
    answered = []

    class Readyz(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answered.append((self.path, statuses[len(answered)]))
            self.send_response(answered[-1][1])
            self.end_headers()

        def log_message(self, *arguments: Any) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", int(environment["OPS_PORT"])), Readyz) as fake:
        thread = threading.Thread(target=fake.serve_forever)
        thread.start()
        try:
            waited = run_as_in_unit(directives("ExecStartPost")[0], environment)
        finally:
            fake.shutdown()
            thread.join()

    assert waited.returncode == 0, waited.stderr
    assert answered == [("/readyz", 503), ("/readyz", 503), ("/readyz", 200)]


def test_the_wait_after_the_start_fails_at_its_deadline(environment):
    command = [*directives("ExecStartPost")[0].split()[:-1], "0.5"]

    waited = run_as_in_unit(" ".join(command), environment)

    assert waited.returncode == 1
    assert waited.stderr == f"/readyz on 127.0.0.1 port {environment['OPS_PORT']} has not answered 200 within 0.5 s\n"


class Unpickled:
    """Stands in an artifact for the result of a call that is made when the artifact is loaded."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


def test_systemd_is_told_ready_only_after_the_model_is_loaded(start, environment, model, tmp_path):
    # Loading this artifact ends when the pipe has had a writer and has none any more.
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    artifact = tmp_path / "slow.joblib"
    joblib.dump(Unpickled(operator.getitem, [Unpickled(Path.read_text, pipe), joblib.load(model)], 1), artifact)
    name = f"forkcast-{uuid.uuid4().hex}"
    writers = []

    def loading() -> bool:
        try:
            writers.append(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
        except OSError:
            return False
        return True

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(f"\0{name}")
        systemd.settimeout(30)
        program = start(
            [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py"],
            environment | {"MODEL_URI": str(artifact), "NOTIFY_SOCKET": f"@{name}"},
        )
        program.wait_for(loading)
        told_while_loading, _, _ = select.select([systemd], [], [], 0)

        os.close(writers[0])

        assert told_while_loading == []
        assert systemd.recv(1024).startswith(b"READY=1\n")
