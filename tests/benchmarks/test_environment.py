import json
from pathlib import Path

from app.runtimes.base import Runtime
from app.settings import Settings
from benchmarks.environment import changed_settings, code_digest, environment
from tests.benchmarks.made_up_results import ENVIRONMENT


def test_the_record_is_complete_and_names_no_place_of_this_machine(text_runtime: Runtime) -> None:
    record = environment(text_runtime.metadata, "wrk 4.1.0")

    assert record.keys() == ENVIRONMENT.keys()
    assert str(Path.home()) not in json.dumps(record)
    assert record["settings"] == {"FORKCAST_JOBS_URL": "off"}


def test_settings_that_are_not_the_default_are_recorded() -> None:
    settings = Settings(FORKCAST_THREADS=8, FORKCAST_EXECUTION="inline", PORT=1, FORKCAST_METRICS="off")  # type: ignore[call-arg]

    assert changed_settings(settings) == {"FORKCAST_THREADS": "8"}


def test_the_digest_follows_the_code_that_is_measured(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app/main.py").write_text("one")
    first = code_digest(tmp_path)
    (tmp_path / "README.md").write_text("words")
    same = code_digest(tmp_path)
    (tmp_path / "app/main.py").write_text("two")
    changed = code_digest(tmp_path)
    (tmp_path / "app/reviews.csv").write_text("what is asked")

    assert first == same
    assert len({first, changed, code_digest(tmp_path)}) == 3
