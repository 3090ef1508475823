"""Models of each format behind one real server, from a repository that has them all."""

from pathlib import Path

import pytest

from tests.runtimes import models
from tests.runtimes.formats import FORMATS
from tests.server.conftest import StartServers
from tests.server.running_server import Server

MODEL = "logistic regression of three classes"
# One file or folder of each, of the one model that all of them can hold.
NAMES = {each.name.replace(" ", "-"): each for each in FORMATS if MODEL not in each.without}


@pytest.fixture(scope="module")
def server(start_servers: StartServers, tmp_path_factory: pytest.TempPathFactory) -> Server:
    repository = tmp_path_factory.mktemp("repository")
    for name, saved in NAMES.items():
        (repository / name / "1").mkdir(parents=True)
        saved.save(models.model(MODEL), repository / name / "1" / saved.file)
    return start_servers(formats={"MODEL_REPOSITORY": str(repository), "WEB_CONCURRENCY": "2"})["formats"]


@pytest.mark.parametrize("name", NAMES)
def test_each_format_answers_the_same_rows_equally(server: Server, name: str) -> None:
    model = models.model(MODEL)

    answer = server.post(f"/models/{name}/predict_batch", {"instances": model.instances})

    assert answer.status == 200
    predictions = answer.json["predictions"]
    assert [each["label"] for each in predictions] == model.values
    for each, row in zip(predictions, model.estimator.predict_proba(model.features), strict=True):
        expected = dict(zip(model.estimator.classes_, row, strict=True))
        assert each["probabilities"] == pytest.approx(expected, rel=NAMES[name].tolerance)


def test_all_of_them_are_shared_by_the_workers(server: Server) -> None:
    held = server.ops("/status").json["models"]

    assert [(each["name"], each["shared"]) for each in held] == [(name, True) for name in sorted(NAMES)]
    assert len(list(Path(f"/proc/{server.pid}/task").iterdir())) == 1
