"""What `make reload` would put where, before it does."""

from pathlib import Path

import pytest

from app.reload import Failed, wanted_files
from app.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    served = tmp_path / "churn.joblib"
    served.write_text("served")
    return Settings(MODEL_URI=str(served))  # type: ignore[call-arg]


def test_a_model_of_another_format_does_not_take_the_place_of_the_served_one(
    settings: Settings, tmp_path: Path
) -> None:
    new = tmp_path / "new.skops"
    new.write_text("new")

    with pytest.raises(Failed) as refused:
        wanted_files(settings, new, rollback=False)

    assert str(refused.value) == (
        f"{new}: is of another format than {settings.model_uri}, whose place it would take; serve it by MODEL_URI"
    )


def test_a_pickle_may_take_the_place_of_a_joblib_file(settings: Settings, tmp_path: Path) -> None:
    new = tmp_path / "new.pkl"
    new.write_text("new")

    assert wanted_files(settings, new, rollback=False)[Path(settings.model_uri)] == new
