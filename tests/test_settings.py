"""Settings: where they come from, what they refuse, and how they say so."""

from pathlib import Path

import pytest

from app.check_config import lines
from app.environment import SettingsInvalid, load_settings, sources
from app.settings import Settings, environment_name

NAMES_OF_THE_DESIGN = {
    "HOST",
    "PORT",
    "OPS_PORT",
    "WEB_CONCURRENCY",
    "MODEL_URI",
    "MODEL_REPOSITORY",
    "FORKCAST_EXECUTION",
    "FORKCAST_THREADS",
    "FORKCAST_MAX_BATCH_SIZE",
    "FORKCAST_ACCELERATION",
    "FORKCAST_MAX_IN_FLIGHT",
    "FORKCAST_REQUEST_TIMEOUT_SECONDS",
    "FORKCAST_MAX_BODY_BYTES",
    "FORKCAST_MODEL_SHA256",
    "FORKCAST_API_KEYS_FILE",
    "FORKCAST_FEATURES_URL",
    "FORKCAST_PREDICTION_LOG_URL",
    "FORKCAST_JOBS_URL",
    "FORKCAST_GENERATOR_URI",
    "FORKCAST_MAX_ROWS",
    "FORKCAST_CONTENT_FILTER",
    "FORKCAST_BLOCKED_TERMS_FILE",
    "FORKCAST_CACHE_ENTRIES",
    "FORKCAST_ON_LOAD_FAILURE",
    "FORKCAST_REQUIRE_KEYS",
    "FORKCAST_METRICS",
    "FORKCAST_DOCS",
    "FORKCAST_ACCEPT",
    "FORKCAST_WORKER_SOCKETS",
    "FORKCAST_INVOCATIONS",
    "FORKCAST_PREDICTION_LOG_ON_FULL",
    "FORKCAST_OPS_HOST",
}


@pytest.fixture
def env_file(tmp_path: Path) -> Path:
    return tmp_path / ".env"


def test_every_name_that_the_outside_relies_on_is_a_setting() -> None:
    assert {environment_name(field) for field in Settings.model_fields} >= NAMES_OF_THE_DESIGN


def test_every_setting_is_described() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_the_environment_wins_over_the_file_and_the_file_over_the_default(
    env_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    env_file.write_text("PORT=9001\nFORKCAST_THREADS=5\n")
    monkeypatch.setenv("PORT", "9002")

    settings, origins = load_settings(env_file), sources(env_file)

    assert (settings.port, settings.threads, settings.max_batch_size) == (9002, 5, 128)
    assert (origins["port"], origins["threads"], origins["max_batch_size"]) == ("environment", ".env", "default")


@pytest.mark.parametrize("where", ["environment", "file"])
def test_a_misspelt_setting_is_refused_with_the_right_name(
    env_file: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    if where == "file":
        env_file.write_text("FORKCAST_EXECUTON=inline\n")
    else:
        monkeypatch.setenv("FORKCAST_EXECUTON", "inline")

    with pytest.raises(SettingsInvalid, match="FORKCAST_EXECUTON is not a setting; did you mean FORKCAST_EXECUTION"):
        load_settings(env_file)


def test_names_in_lower_case_are_not_settings(env_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("port", "1234")
    port = load_settings(env_file).port
    monkeypatch.setenv("forkcast_execution", "inline")

    with pytest.raises(SettingsInvalid, match="forkcast_execution is not a setting; did you mean FORKCAST_EXECUTION"):
        load_settings(env_file)

    assert port == 8000


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "0"),
        ("PORT", "SECRET"),
        ("FORKCAST_EXECUTION", "SECRET"),
        ("FORKCAST_THREADS", "0"),
        ("FORKCAST_GRPC_PORT", "65536"),
        ("FORKCAST_GRPC_PORT", "8000"),
        ("FORKCAST_GRPC_PORT", "8001"),
        ("FORKCAST_MAX_BATCH_SIZE", "-1"),
        ("FORKCAST_METRICS", "yes"),
        ("FORKCAST_BLOCKED_TERMS_FILE", "/no/such/SECRET"),
        ("FORKCAST_TRUSTED_TYPES_FILE", "/no/such/SECRET"),
        ("FORKCAST_JOBS_URL", "postgresql://SECRET@host"),
        ("FORKCAST_CONSUME", "SECRET"),
        ("FORKCAST_JOBS_MAX_ATTEMPTS", "0"),
        ("FORKCAST_JOBS_LEASE_SECONDS", "0"),
        ("FORKCAST_JOBS_BACKOFF_SECONDS", "-1"),
    ],
)
def test_a_wrong_value_is_refused_by_the_settings_name_and_not_repeated(
    env_file: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(SettingsInvalid) as refusal:
        load_settings(env_file)

    assert name in str(refusal.value)
    assert "SECRET" not in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FORKCAST_REQUIRE_KEYS", "1"),
    ],
)
def test_what_is_not_built_yet_takes_only_its_default(
    env_file: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(SettingsInvalid, match=f"{name}: is not available in this version"):
        load_settings(env_file)


def test_one_of_two_places_for_the_model_is_named(
    env_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODEL_REPOSITORY", str(tmp_path))
    assert load_settings(env_file).model_repository == tmp_path

    env_file.write_text("MODEL_URI=model.joblib\n")
    with pytest.raises(SettingsInvalid, match="MODEL_URI and MODEL_REPOSITORY are both set"):
        load_settings(env_file)


def test_an_empty_value_is_the_default(env_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORKCAST_FEATURES_URL", "")
    monkeypatch.setenv("FORKCAST_THREADS", "")

    settings = load_settings(env_file)

    assert (settings.features_url, settings.threads) == (None, 3)


def test_check_config_shows_each_setting_with_its_source_and_what_will_start(
    env_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEB_CONCURRENCY", "3")
    monkeypatch.setenv("FORKCAST_GRPC_PORT", "8002")

    shown = lines(load_settings(env_file), sources(env_file))

    assert all(any(line.startswith(f"{environment_name(name)} ") for line in shown) for name in Settings.model_fields)
    assert any(line.split() == ["WEB_CONCURRENCY", "3", "environment"] for line in shown)
    assert "will start: 3 serving workers on 127.0.0.1:8000, execution microbatch" in shown
    assert "will speak gRPC: those on 127.0.0.1:8002" in shown
    assert "will start: an ops worker on 127.0.0.1:8001" in shown
    assert "will start: a worker that runs background jobs" in shown
    assert any(line.startswith("memory this process may use: ") for line in shown)


def test_check_config_shows_nothing_of_a_url_of_the_prediction_log(
    env_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORKCAST_PREDICTION_LOG_URL", "postgresql://user:SECRET@host/db")

    shown = lines(load_settings(env_file), sources(env_file))

    assert any(line.split() == ["FORKCAST_PREDICTION_LOG_URL", "set", "environment"] for line in shown)
    assert "SECRET" not in str(shown)


def test_grpc_goes_with_balanced_accept_alone(env_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORKCAST_GRPC_PORT", "8002")
    assert load_settings(env_file).ports == [8000, 8001, 8002]
    monkeypatch.setenv("FORKCAST_ACCEPT", "stock")

    with pytest.raises(SettingsInvalid, match="FORKCAST_GRPC_PORT goes with FORKCAST_ACCEPT=balanced alone"):
        load_settings(env_file)


@pytest.mark.parametrize(
    ("url", "consume", "runs"),
    [
        ("sqlite:///jobs.db", "auto", True),
        ("sqlite:///jobs.db", "off", False),
        ("redis://host", "auto", False),
        ("redis://host", "on", True),
        ("off", "auto", False),
        ("off", "on", False),
    ],
)
def test_a_server_runs_the_jobs_that_are_in_its_own_file_unless_it_is_told_otherwise(
    env_file: Path, monkeypatch: pytest.MonkeyPatch, url: str, consume: str, runs: bool
) -> None:
    monkeypatch.setenv("FORKCAST_JOBS_URL", url)
    monkeypatch.setenv("FORKCAST_CONSUME", consume)

    assert load_settings(env_file).runs_jobs is runs


def test_check_config_shows_no_password(env_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORKCAST_JOBS_URL", "redis://user:SECRET@host:6379/0")

    shown = "\n".join(lines(load_settings(env_file), sources(env_file)))

    assert "redis://…@host:6379/0" in shown
    assert "SECRET" not in shown
