"""What `gunicorn.conf.py` makes of the settings, executed as Gunicorn does."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from app.processes.lifecycle import THREAD_VARIABLES
from app.settings import ROOT
from tests.environments import own_environment

READ = """
import json, os, runpy
names = ("workers", "bind", "graceful_timeout", "timeout", "worker_tmp_dir", "logconfig_dict")
configuration = runpy.run_path("gunicorn.conf.py")
print(json.dumps({name: configuration[name] for name in names}, default=str))
print(json.dumps(dict(os.environ)))
"""


def executed(runtime_directory: Path, **settings: str) -> tuple[dict[str, Any], dict[str, str]]:
    """The values that Gunicorn reads, and the environment that its workers inherit."""
    own = {name: value for name, value in own_environment().items() if name not in THREAD_VARIABLES}
    environment = {**own, "RUNTIME_DIRECTORY": str(runtime_directory), **settings}
    run = subprocess.run(
        [sys.executable, "-c", READ], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60
    )
    assert run.returncode == 0, run.stderr
    values, inherited = map(json.loads, run.stdout.splitlines())
    return values, inherited


def test_the_settings_reach_gunicorn(tmp_path: Path) -> None:
    values, _ = executed(
        tmp_path,
        HOST="::1",
        PORT="1234",
        FORKCAST_OPS_HOST="127.0.0.2",
        OPS_PORT="1235",
        WEB_CONCURRENCY="3",
        FORKCAST_REQUEST_TIMEOUT_SECONDS="55",
        FORKCAST_LOG_LEVEL="warning",
    )

    assert values["bind"] == ["[::1]:1234", "127.0.0.2:1235"]
    # The ops worker is one more, and so is the one that runs background jobs.
    assert values["workers"] == 3 + 2
    assert 55 < values["graceful_timeout"] < values["timeout"]
    assert values["logconfig_dict"]["root"]["level"] == "WARNING"
    assert Path(values["worker_tmp_dir"]).parent == tmp_path


@pytest.mark.parametrize(("form", "text"), [("json", False), ("text", True)])
def test_the_form_of_the_log_is_the_setting_s(tmp_path: Path, form: str, text: bool) -> None:
    values, _ = executed(tmp_path, FORKCAST_LOG_FORMAT=form)

    assert values["logconfig_dict"]["formatters"]["event"]["text"] is text


def test_every_library_of_numbers_gets_one_thread_and_metrics_a_folder_of_this_arbiter(tmp_path: Path) -> None:
    values, inherited = executed(tmp_path, OMP_NUM_THREADS="8")

    assert {name: inherited.get(name) for name in THREAD_VARIABLES} == dict.fromkeys(THREAD_VARIABLES, "1")
    assert os.path.dirname(inherited["PROMETHEUS_MULTIPROC_DIR"]) == values["worker_tmp_dir"]
