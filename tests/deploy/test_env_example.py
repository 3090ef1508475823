"""The example of the environment file: complete, true, and as it stands a configuration that starts."""

import re
import subprocess
import sys

import pytest

from app.environment import load_settings
from app.settings import ROOT, Settings, environment_name

EXAMPLE = ROOT / "deploy/systemd/forkcast.env.example"
LINE = re.compile(r"^#([A-Z][A-Z0-9_]*)=(.*)$", re.MULTILINE)
DEFAULTS = {environment_name(name): field.default for name, field in Settings.model_fields.items()}
# No value means "unset", but Gunicorn refuses an empty one.
SHOWN_WITHOUT_DEFAULT = {"WEB_CONCURRENCY": "2"}


def shown(name: str) -> str:
    default = DEFAULTS[name]
    if default is None:
        return SHOWN_WITHOUT_DEFAULT.get(name, "")
    if isinstance(default, bool):
        return str(default).lower()
    return str(default).replace(str(ROOT), "/opt/forkcast")


def uncommented() -> dict[str, str]:
    return dict(LINE.findall(EXAMPLE.read_text()))


def test_the_example_names_every_setting_once_and_nothing_else():
    named = [name for name, _ in LINE.findall(EXAMPLE.read_text())]

    assert sorted(named) == sorted(DEFAULTS)


def test_the_example_as_it_is_sets_nothing():
    lines = EXAMPLE.read_text().splitlines()

    assert [line for line in lines if line and not line.startswith("#")] == []


@pytest.mark.parametrize("name", DEFAULTS)
def test_the_example_shows_the_default(name):
    assert uncommented()[name] == shown(name)


@pytest.mark.parametrize("field", Settings.model_fields)
def test_the_example_has_the_settings_own_sentence_above_it(field):
    sentence = Settings.model_fields[field].description

    paragraphs = EXAMPLE.read_text().split("\n\n")
    (own,) = [paragraph for paragraph in paragraphs if f"\n#{environment_name(field)}=" in paragraph]

    assert own.splitlines()[0] == f"# {sentence}"


def test_with_every_line_uncommented_the_settings_are_the_defaults(monkeypatch, tmp_path):
    for name in DEFAULTS:
        monkeypatch.delenv(name, raising=False)
    env_file = tmp_path / "forkcast.env"
    env_file.write_text(LINE.sub(r"\1=\2", EXAMPLE.read_text()))

    settings = load_settings(env_file)

    defaults = {field: Settings.model_fields[field].default for field in Settings.model_fields}
    defaults |= {"web_concurrency": 2, "model_uri": "/opt/forkcast/var/models/sentiment.joblib"}
    defaults |= {"jobs_url": "sqlite:////opt/forkcast/var/jobs.db"}
    assert settings.model_dump() == defaults


def test_with_every_line_uncommented_gunicorn_takes_the_configuration(environment):
    environment = {**environment, **uncommented(), "MODEL_URI": environment["MODEL_URI"]}

    command = [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py", "--check-config"]
    checked = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)

    assert checked.returncode == 0, checked.stderr


def test_no_file_for_deployment_names_an_unknown_setting():
    texts = [path.read_text() for path in (ROOT / "deploy").rglob("*") if path.is_file() and path.suffix != ".pyc"]

    named = {name for text in texts for name in re.findall(r"\bFORKCAST_[A-Z0-9_]+", text)}

    assert named <= set(DEFAULTS)
