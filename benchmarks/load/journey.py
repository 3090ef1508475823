"""What users ask of the model that is served, made from what the server says of it, with the first answers."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

from benchmarks.failures import NotMeasurable, RequestsFailed, ServerFailed
from benchmarks.instances import variations
from benchmarks.load.answers import Question, document, unhealthy, wrong

SECONDS = 30.0
SEED = 20
# Of one user's, so that answers that are mixed up are other answers.
INSTANCES = 16
BATCH_ROWS = 8
# As Locust, which asks the server itself whatever proxy the environment names.
DIRECT = build_opener(ProxyHandler({}))


@dataclass(frozen=True, slots=True)
class Journey:
    """`models` are named with their versions, as they answered first."""

    url: str
    models: Sequence[str]
    one: Sequence[Question]
    many: Sequence[Question]

    def write(self, file: Path) -> None:
        file.write_text(json.dumps(asdict(self), indent=1) + "\n")


def read(file: Path) -> Journey:
    said = json.loads(file.read_text())
    one, many = ([Question(**each) for each in said[name]] for name in ("one", "many"))
    return Journey(said["url"], said["models"], one, many)


def prepare(url: str) -> Journey:
    """Raises RunFailed where the server is not ready, or does not answer what it says that it takes."""
    check_ready(url)
    forms = forms_of(openapi(url))
    one = [answered(url, each) for path, (example, schema) in forms.items() for each in singles(path, example, schema)]
    many = [answered(url, each) for path in forms for each in batches(path, one)]
    models = sorted(
        {f"{each.answer['model']['name']} {each.answer['model']['version']}" for each in one if each.answer}
    )
    return Journey(url, models, one, many)


def check_ready(url: str) -> None:
    """Raises ServerFailed unless somebody answers there, with a model that is loaded and warmed up."""
    fault = unhealthy(*ask(url, "/health"))
    if fault is not None:
        raise ServerFailed(f"{url} cannot be measured: GET /health: {fault}")
    status, _ = ask(url, "/readyz")
    if status != 200:
        raise ServerFailed(f"{url} cannot be measured: GET /readyz was answered {status}")


def openapi(url: str) -> dict[str, Any]:
    status, body = ask(url, "/openapi.json")
    said = document(body) if status == 200 else None
    if said is None:
        raise NotMeasurable(
            f"{url}/openapi.json was answered {status}; it says what to ask, and FORKCAST_DOCS=on shows it"
        )
    return said


def forms_of(said: dict[str, Any]) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """The example and the schema of each route that predicts one, of the newest version of each model, by its path."""
    paths = ["/predict"]
    if not body_of(said, "/predict"):
        paths = [path for path in said["paths"] if path.endswith("/predict") and "/versions/" not in path]
    found = {path: (taken["example"], taken["schema"]) for path in paths if (taken := body_of(said, path))}
    if not found:
        raise NotMeasurable("the server's /openapi.json shows no route with an example to predict")
    return found


def body_of(said: dict[str, Any], path: str) -> dict[str, Any]:
    taken = said["paths"].get(path, {}).get("post", {}).get("requestBody", {}).get("content", {})
    return dict(taken.get("application/json", {}))


def singles(path: str, example: dict[str, Any], schema: dict[str, Any]) -> list[Question]:
    """`example` has one field: `text`, or `features`."""
    [(field, instance)] = example.items()
    drawn = variations(instance, schema["properties"][field], count=INSTANCES, seed=SEED)
    return [Question(path, {field: each}, None) for each in drawn]


def batches(path: str, one: Sequence[Question]) -> list[Question]:
    """Rows that were asked alone before, and so must be answered the same together."""
    asked = [each for each in one if each.path == path]
    field = {"text": "texts", "features": "instances"}[next(iter(asked[0].body))]
    found = []
    for start in range(0, len(asked), BATCH_ROWS // 2):
        rows = [asked[(start + offset) % len(asked)] for offset in range(BATCH_ROWS)]
        instances = [next(iter(each.body.values())) for each in rows]
        found.append(
            Question(f"{path}_batch", {field: instances}, len(rows), together([each.answer or {} for each in rows]))
        )
    return found


def together(answers: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The answer to a batch whose rows were answered so alone."""
    signature = {name: answers[0][name] for name in ("model", "request_id")}
    predictions = [{name: each[name] for name in each if name not in signature} for each in answers]
    return {"predictions": predictions, **signature}


def answered(url: str, question: Question) -> Question:
    """The question with its first answer; raises RequestsFailed where that is none."""
    status, body = ask(url, question.path, question.body)
    fault = wrong(question, status, body)
    if fault is not None:
        raise RequestsFailed(f"POST {question.path}, asked before the load: {fault}: {body[:300]!r}")
    return replace(question, answer=document(body))


def ask(url: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, bytes]:
    """The status and the body of an answer; raises ServerFailed where none comes."""
    data = None if body is None else json.dumps(body).encode()
    request = Request(url + path, data, {"content-type": "application/json"})
    try:
        with DIRECT.open(request, timeout=SECONDS) as reply:
            return reply.status, reply.read()
    except HTTPError as error:
        with error:
            return error.code, error.read()
    except (OSError, ValueError) as error:
        raise ServerFailed(f"nobody answers at {url}{path}: {error}") from error
