"""`make reload` and `make rollback`: put the files in their place, signal the arbiter, and say how it ended."""

import argparse
import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from app.artifact_files import ArtifactFiles, Contents, put_in_place
from app.environment import SettingsInvalid, load_settings
from app.errors import ModelNotReady
from app.repository_files import one_more_version, one_version_less
from app.runtimes import of_one_format
from app.runtimes.mlflow_store import is_store_uri
from app.settings import ROOT, Settings

POLL_SECONDS = 0.1
ANSWER_SECONDS = 5
# Beyond the proof: the arbiter loads once more, and the old workers may take their time.
MARGIN_SECONDS = 30
# As a shell says it of what SIGINT has ended.
INTERRUPTED = 128 + signal.SIGINT
# With an application of its own Gunicorn checks the configuration and loads no model.
CHECK = ["-m", "gunicorn", "-c", str(ROOT / "gunicorn.conf.py"), "--check-config", "app.main:create_app"]

# What is said of a worker that answers; one that predicts is busy.
WARM = ("ready", "busy")

Status = dict[str, Any]


class Failed(Exception):
    """One line for whoever reloads."""


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m app.reload", description="Reload the model of a running server.")
    ways = parser.add_mutually_exclusive_group()
    ways.add_argument("--model", type=Path, help="artifact to install first, with the manifest beside it")
    ways.add_argument("--rollback", action="store_true", help="go back to the former artifact first")
    parser.add_argument("--name", help="of several models in MODEL_REPOSITORY, the one that is meant")
    chosen = parser.parse_args(arguments)
    # What is put in place is put back then too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        settings = load_settings()
        check_configuration()
        before = status(settings)
        with changed_files(settings, chosen):
            adopted = reload(settings, before)
        # From here on the new model is what a start would serve; to put the former files back would be to go back.
        version = warm_version(settings, adopted)
    except (Failed, SettingsInvalid, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except ModelNotReady as error:
        sys.stderr.write(f"{error.reason}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return INTERRUPTED
    sys.stdout.write(f"reload succeeded: version {version} is served\n")
    return 0


def check_configuration() -> None:
    """In a process of its own, for at a configuration that cannot be executed the HUP would end the server."""
    command = [sys.executable, *CHECK]
    checked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603
    if checked.returncode != 0:
        raise Failed(checked.stderr.strip() or "gunicorn.conf.py cannot be executed")


def changed_files(settings: Settings, chosen: argparse.Namespace) -> AbstractContextManager[None]:
    """What is to be served lies where it will be read from; put back where the block raises. Raises Failed."""
    repository, model = settings.model_repository, chosen.model
    if repository is None:
        if chosen.name is not None:
            raise Failed("NAME= is of a model in MODEL_REPOSITORY, which is not set")
        return put_in_place(wanted_files(settings, model, rollback=chosen.rollback))
    if chosen.rollback:
        return one_version_less(repository, chosen.name)
    if model is None:
        return contextlib.nullcontext()
    if not model.is_file():
        raise Failed(f"{model}: is no file")
    return one_more_version(repository, model, chosen.name)


def wanted_files(settings: Settings, model: Path | None, *, rollback: bool) -> Contents:
    """Raises Failed where there is nothing to install or to go back to."""
    if (rollback or model is not None) and is_store_uri(settings.model_uri):
        raise Failed(f"{settings.model_uri}: is in a store; name another version there, and reload without MODEL=")
    files = ArtifactFiles(settings.model_uri)
    if (rollback or model is not None) and files.artifact.is_dir():
        raise Failed(f"{files.artifact}: is a folder; put another in its place with mv, and reload without MODEL=")
    if rollback:
        if not files.previous.exists():
            raise Failed(f"{files.previous}: there is no previous artifact")
        return files.exchange()
    if model is None:
        return {}
    if not model.is_file() or model.resolve() == files.artifact:
        raise Failed(f"{model}: is no file, or the very one that is served")
    if not of_one_format(model, files.artifact):
        raise Failed(
            f"{model}: is of another format than {files.artifact}, whose place it would take; serve it by MODEL_URI"
        )
    return files.installation(model)


def reload(settings: Settings, before: Status) -> int:
    """The generation of the workers that will serve the new model; raises Failed where the server refuses it."""
    os.kill(before["arbiter"], signal.SIGHUP)
    reloads = before["reloads"]
    for now in statuses(settings):
        if now["reloads"]["refused"] > reloads["refused"]:
            raise Failed(
                f"reload refused ({now['reloads']['last_refusal']}): see the log of the server for the reason;"
                f" it serves {' '.join(versions(serving(before)))} as before"
            )
        if now["reloads"]["succeeded"] > reloads["succeeded"]:
            return newest_generation(before) + 1
    raise Failed("the server has not ended the reload in time: see its log")


def warm_version(settings: Settings, generation: int) -> str:
    """The version that all workers serve from that generation on; raises Failed where they do not in time."""
    for now in statuses(settings):
        workers = [worker for worker in serving(now) if worker["generation"] >= generation]
        warm = [worker for worker in workers if worker["state"] in WARM]
        if workers and len(warm) == len(workers) >= now["wanted"] and not former_accept(now):
            return " ".join(versions(warm))
    raise Failed("the new model was proven and is in place, but not all workers are ready: see the log of the server")


def statuses(settings: Settings) -> Iterator[Status]:
    """The status again and again until the deadline; a worker that is replaced meanwhile may miss an answer."""
    deadline = time.monotonic() + settings.reload_timeout_seconds + settings.request_timeout_seconds + MARGIN_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(Failed):
            yield status(settings)
        time.sleep(POLL_SECONDS)


def status(settings: Settings) -> Status:
    """What the ops port says; raises Failed where nobody answers there."""
    connection = http.client.HTTPConnection(settings.ops_host, settings.ops_port, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", "/status")
        document: Status = json.loads(connection.getresponse().read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Failed(f"no server answers on {settings.ops_host} port {settings.ops_port}") from error
    finally:
        connection.close()
    return document


def serving(status: Status) -> list[dict[str, Any]]:
    """The serving workers of the newest generation."""
    newest = newest_generation(status)
    return [each for each in status["workers"] if each["role"] == "serve" and each["generation"] == newest]


def former_accept(status: Status) -> bool:
    """Whether a serving worker of an earlier generation has not begun to leave."""
    newest = newest_generation(status)
    former = [each for each in status["workers"] if each["role"] == "serve" and each["generation"] < newest]
    return any(worker["state"] != "draining" for worker in former)


def newest_generation(status: Status) -> int:
    return max((int(worker["generation"]) for worker in status["workers"]), default=0)


def versions(workers: list[dict[str, Any]]) -> list[str]:
    return sorted({str(worker["version"]) or "no model" for worker in workers})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
