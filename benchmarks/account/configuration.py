"""Gunicorn's configuration file: that of the server, with a sampler in each serving worker."""

import os
from pathlib import Path
from typing import Any

from app.processes.scoreboard import Role
from app.settings import ROOT
from benchmarks.account.sampler import FOLDER, Sampler

_file = ROOT / "gunicorn.conf.py"
_served: dict[str, Any] = {"__name__": "__config__", "__file__": str(_file)}
exec(compile(_file.read_text(), _file, "exec"), _served)
globals().update({name: value for name, value in _served.items() if not name.startswith("__")})


def post_fork(server: Any, worker: Any) -> None:
    _served["post_fork"](server, worker)
    if worker.place.role == Role.SERVE:
        Sampler(Path(os.environ[FOLDER])).start()
