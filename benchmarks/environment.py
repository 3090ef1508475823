"""Under which conditions a run was made."""

import hashlib
import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from app.environment import load_settings
from app.processes.cores import usable_cores
from app.runtimes.base import ModelMetadata
from app.settings import ROOT, Settings, environment_name

LIBRARIES = ("gunicorn", "uvicorn", "uvloop", "fastapi", "scikit-learn", "numpy")
# Given by the benchmark itself, or of this machine alone.
NOT_RECORDED = {"host", "port", "ops_port", "model_uri", "web_concurrency", "execution", "metrics", "worker_header"}
# Given too, and no other than the default that users have: what is measured are answers that are waited for.
GIVEN = {"jobs_url": "off"}
# The reviews are what is asked.
MEASURED_CODE = (
    "app/**/*.py", "app/**/*.csv", "app/**/*.txt", "benchmarks/**/*.py", "benchmarks/*.lua", "gunicorn.conf.py",
    "requirements.txt", "requirements-bench.txt", "benchmarks/peers/requirements/*.txt",
)  # fmt: skip
# What reckons with results and shows them may change without changing what is measured.
NOT_MEASURED = ("benchmarks/analysis", "benchmarks/reporting")


def environment(model: ModelMetadata, load_generator: str) -> dict[str, Any]:
    """`code` is a digest of what was measured and of what measured it: equal for equal code, committed or not."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _git("rev-parse", "--short=12", "HEAD"),
        # What is rendered from results may change without changing what is measured.
        "dirty": _git("status", "--porcelain", "--", ".", ":!benchmarks/results", ":!README.md") != "",
        "code": code_digest(ROOT),
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in LIBRARIES},
        "kernel": platform.release(),
        "cpu_model": cpu_model(Path("/proc/cpuinfo").read_text()),
        "cores": usable_cores(),
        "load_average": os.getloadavg(),
        "load_generator": load_generator,
        "model": {"name": model.name, "version": model.version},
        "settings": changed_settings(load_settings().model_copy(update=GIVEN)),
    }


def changed_settings(settings: Settings) -> dict[str, str]:
    """The settings in force that are not the default, as the environment names them."""
    return {
        environment_name(name): str(getattr(settings, name))
        for name, field in Settings.model_fields.items()
        if name not in NOT_RECORDED and getattr(settings, name) != field.default
    }


def code_digest(root: Path) -> str:
    digest = hashlib.sha256()
    measured = {file for pattern in MEASURED_CODE for file in root.glob(pattern)}
    aside = {file for folder in NOT_MEASURED for file in (root / folder).rglob("*.py")}
    for file in sorted(measured - aside):
        digest.update(f"{file.relative_to(root)}\n".encode() + file.read_bytes())
    return digest.hexdigest()[:12]


def cpu_model(cpuinfo: str) -> str:
    names = [line.partition(":")[2].strip() for line in cpuinfo.splitlines() if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _git(*arguments: str) -> str | None:
    """None outside of a repository, and before its first commit."""
    try:
        answer = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
    except FileNotFoundError:
        return None
    return answer.stdout.strip() if answer.returncode == 0 else None
