"""Background jobs over HTTP, in process, with a real queue in SQLite."""

import asyncio
import gzip
import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest
from starlette.testclient import TestClient
from starlette.types import Scope

from app.api.jobs import about_a_job
from app.errors import UnknownJob
from app.jobs import open_queue
from app.jobs.base import Claim, Job, JobQueue, Terms
from app.model_store import Held
from app.runtimes.base import Runtime
from tests.api.test_addresses import CHURN, REVIEWS, TABLE, Serve, serve
from tests.conftest import MakeClient

TERMS = Terms(most_queued=100, most_attempts=3, lease_seconds=15, backoff_seconds=1, result_seconds=3600)
BODY = {"texts": ["funny", "dull"]}
PATH = "/predict_background"
SECRET = "a-secret-of-many-characters"
Ask = Callable[[Callable[[JobQueue], Any]], Any]

__all__ = ["serve"]


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'jobs.db'}"


@pytest.fixture
def client(client_of: MakeClient, text_runtime: Runtime, url: str) -> TestClient:
    return client_of(text_runtime, jobs_url=url, jobs_max_queued=3)


@pytest.fixture
def ask(url: str) -> Ask:
    """What somebody else learns of the same queue."""

    def of(asking: Callable[[JobQueue], Any]) -> Any:
        async def main() -> Any:
            queue = open_queue(url, TERMS)
            try:
                return await asking(queue)
            finally:
                await queue.close()

        return asyncio.run(main())

    return of


def post(client: TestClient, body: Any = BODY, path: str = PATH, **headers: str) -> httpx2.Response:
    return client.post(path, json=body, headers=headers)  # type: ignore[return-value]


def claimed(queue: JobQueue) -> Any:
    return queue.claim("another", 0.0)


def test_a_job_is_answered_202_with_where_it_is_found_once_it_is_durable(client: TestClient, ask: Ask) -> None:
    answer = post(client)

    told = answer.json()
    assert answer.status_code == 202
    assert told == {
        "message": "Task queued for background processing", "request_id": told["request_id"], "status": "queued",
    }  # fmt: skip
    assert answer.headers["location"] == f"/jobs/{told['request_id']}"
    claim: Claim = ask(claimed)
    assert (claim.id, claim.order.kind, claim.order.model) == (told["request_id"], "predict", "reviews")
    assert orjson.loads(claim.order.payload) == BODY


def test_what_becomes_of_it_is_told_step_by_step(client: TestClient, ask: Ask) -> None:
    before = datetime.now(UTC)
    address = post(client).headers["location"]

    queued = client.get(address).json()
    claim = ask(claimed)
    ask(lambda queue: queue.renew(claim, 1, 2))
    running = client.get(address).json()
    ask(lambda queue: queue.succeed(claim, b'{"any": [1, 2.50]}'))
    done = client.get(address)

    assert (queued["status"], queued["attempts"], queued["progress"]) == ("queued", 0, {"done": 0, "total": 0})
    assert [queued[name] for name in ("started", "finished", "result", "error")] == [None] * 4
    assert (running["status"], running["attempts"], running["progress"]) == ("running", 1, {"done": 1, "total": 2})
    assert done.json()["status"] == "succeeded"
    # As it was stored, not read and written anew.
    assert b'"result":{"any": [1, 2.50]}' in done.content
    times = [datetime.fromisoformat(done.json()[name]) for name in ("created", "started", "finished")]
    assert times == sorted(times)
    assert all(abs((time - before).total_seconds()) < 60 for time in times)
    assert done.headers["content-type"] == "application/json"


def test_what_failed_is_told_with_its_reason(client: TestClient, ask: Ask) -> None:
    address = post(client).headers["location"]
    claim = ask(claimed)

    ask(lambda queue: queue.fail(claim, 'it said "no"', again=False))

    told = client.get(address).json()
    assert (told["status"], told["error"], told["result"]) == ("failed", 'it said "no"', None)


def test_a_job_is_cancelled_before_its_end_and_stays_as_it_is_afterwards(client: TestClient, ask: Ask) -> None:
    first, second = (post(client).headers["location"] for _ in range(2))
    claim = ask(claimed)
    ask(lambda queue: queue.succeed(claim, b"{}"))

    answers = [client.delete(address) for address in (second, first, second)]

    assert [(answer.status_code, answer.json()["status"]) for answer in answers] == [
        (200, "cancelled"), (200, "succeeded"), (200, "cancelled"),
    ]  # fmt: skip
    assert client.get(second).json()["status"] == "cancelled"


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize("job", ["f" * 32, "{request_id}", "a:b", "%00", "x" * 1000, "%7Brequest_id%7D"])
def test_an_unknown_job_is_404(client: TestClient, method: str, job: str) -> None:
    answer = client.request(method, f"/jobs/{job}")

    assert (answer.status_code, answer.json()["detail"]) == (404, "There is no such job")


@pytest.mark.parametrize(("job", "asked"), [("a-B_9", 1), ("a:b", 0), ("", 0), ("x" * 65, 0), ("a\n", 0)])
def test_the_store_is_asked_only_for_what_may_be_an_id(job: str, asked: int) -> None:
    """In Redis it would be a part of a key, of which others have other types."""
    seen = []

    async def asking(queue: JobQueue, job_id: str, name: str) -> Job | None:
        seen.append(job_id)
        return None

    scope: Scope = {"type": "http", "path_params": {"request_id": job}, "state": {"jobs": None}}
    with pytest.raises(UnknownJob):
        asyncio.run(about_a_job(asking)(scope, b""))  # type: ignore[arg-type]

    assert len(seen) == asked


WRONG: list[tuple[Any, int, str]] = [
    ({"texts": []}, 422, "texts"),
    ({"texts": ["x", 1]}, 422, "texts[1]"),
    ({"texts": ["x"], "more": 1}, 422, "body"),
    ({"texts": ["x"], "output": "nothing"}, 422, "output"),
    ({"texts": ["x"], "entity_id": 7}, 422, "entity_id"),
    ({"texts": ["I hate this"]}, 400, ""),
    ({"texts": ["x"] * 11}, 422, "texts"),
]


@pytest.mark.parametrize(("body", "status", "field"), WRONG)
def test_what_the_synchronous_twin_refuses_is_refused_with_its_words_and_not_queued(
    client_of: MakeClient, text_runtime: Runtime, url: str, ask: Ask, body: Any, status: int, field: str
) -> None:
    client = client_of(text_runtime, jobs_url=url, content_filter="all", max_rows=10)

    answer, twin = post(client, body), post(client, body, "/predict_batch")

    assert answer.status_code == twin.status_code == status
    assert {**answer.json(), "request_id": ""} == {**twin.json(), "request_id": ""}
    assert [each["field"] for each in answer.json().get("errors", [])] == [field] * bool(field)
    assert ask(claimed) is None


@pytest.mark.parametrize(("content", "content_type"), [(b"", "application/json"), (b"{", "application/json"),
                                                       (b"{}", "text/plain")])  # fmt: skip
def test_a_body_that_is_no_json_is_refused_as_by_the_twin(
    client: TestClient, content: bytes, content_type: str
) -> None:
    headers = {"content-type": content_type}

    answers = [client.post(path, content=content, headers=headers) for path in (PATH, "/predict_batch")]

    assert answers[0].status_code == answers[1].status_code
    assert answers[0].json()["detail"] == answers[1].json()["detail"]


def test_a_body_beyond_the_usual_limit_is_queued_unseen_up_to_one_of_its_own(
    client_of: MakeClient, text_runtime: Runtime, url: str, ask: Ask
) -> None:
    client = client_of(text_runtime, jobs_url=url, max_body_bytes=100, jobs_max_payload_bytes=1000)

    sizes = {PATH: (99, 101, 1000, 1001), "/predict_batch": (101,)}
    statuses = {path: [_sized(client, path, size) for size in each] for path, each in sizes.items()}

    assert statuses == {PATH: [400, 202, 202, 413], "/predict_batch": [413]}
    packed = client.post(PATH, content=gzip.compress(b" " * 1001), headers={"content-encoding": "gzip"})
    assert packed.status_code == 413
    plain = client.post(PATH, content=b"x" * 500, headers={"content-type": "text/plain"})
    assert plain.status_code == 415
    assert ask(lambda queue: queue.counts()).by_status["queued"] == 2


def _sized(client: TestClient, path: str, size: int) -> int:
    """The status of a body of no JSON."""
    return client.post(path, content=b"x" * size).status_code


def test_one_key_is_one_job_and_only_for_one_request(client: TestClient) -> None:
    first, again = (post(client, **{"idempotency-key": "k" * 255}).json() for _ in range(2))
    other = post(client, {"texts": ["funny"]}, **{"idempotency-key": "k" * 255})

    assert again == first
    assert (other.status_code, "Idempotency-Key" in other.json()["detail"]) == (422, True)


def test_a_key_that_comes_again_is_told_what_has_become_of_its_job(client: TestClient, ask: Ask) -> None:
    first = post(client, **{"idempotency-key": "monday"}).json()
    claim = ask(claimed)
    running = post(client, **{"idempotency-key": "monday"}).json()
    ask(lambda queue: queue.succeed(claim, b"{}"))

    again = post(client, **{"idempotency-key": "monday"})

    assert (first["status"], running["status"]) == ("queued", "running")
    assert (again.status_code, again.json()) == (202, {**first, "status": "succeeded"})


def test_two_keys_are_refused(client: TestClient) -> None:
    headers = [("idempotency-key", "monday"), ("idempotency-key", "tuesday")]

    answer = client.post(PATH, json=BODY, headers=headers)

    assert (answer.status_code, "Idempotency-Key" in answer.json()["detail"]) == (400, True)


@pytest.mark.parametrize("key", ["", "k" * 256, "two words", "\u00e9"])
def test_another_key_is_refused_by_the_name_of_its_header(client: TestClient, key: str) -> None:
    answer = client.post(PATH, json=BODY, headers={"idempotency-key": key.encode("latin-1")})

    assert (answer.status_code, "Idempotency-Key" in answer.json()["detail"]) == (400, True)


def test_a_full_queue_is_503_with_retry_after(client: TestClient) -> None:
    answers = [post(client) for _ in range(4)]

    assert [answer.status_code for answer in answers] == [202, 202, 202, 503]
    assert answers[3].headers["retry-after"] == "1"


def test_a_store_that_is_away_is_503(client_of: MakeClient, text_runtime: Runtime, tmp_path: Path) -> None:
    (tmp_path / "no-folder").touch()
    client = client_of(text_runtime, jobs_url=f"sqlite:///{tmp_path / 'no-folder/jobs.db'}")

    answers = [post(client), client.get("/jobs/" + "f" * 32)]

    assert [answer.status_code for answer in answers] == [503, 503]
    assert post(client, path="/predict_batch").status_code == 200


def test_where_jobs_are_off_the_routes_name_the_setting(client_of: MakeClient, text_runtime: Runtime) -> None:
    client = client_of(text_runtime, jobs_url="off")

    below = "/models/reviews/predict_background"
    answers = [post(client), post(client, path=below), client.get("/jobs/1"), client.delete("/jobs/1")]

    assert {(answer.status_code, "FORKCAST_JOBS_URL" in answer.json()["detail"]) for answer in answers} == {(503, True)}
    described = client.get("/openapi.json").json()["paths"]
    assert not any("background" in path or "jobs" in path for path in described)


def versions_asked(client: TestClient, ask: Ask, paths: list[str]) -> list[tuple[str, str | None]]:
    orders = []
    for path in paths:
        body = {"texts": ["x"]} if "reviews" in path else {"instances": [TABLE.example]}
        assert post(client, body, path).status_code == 202, path
        claim = ask(claimed)
        orders.append((claim.order.model, claim.order.version))
    return orders


@pytest.mark.parametrize(
    ("held", "orders"),
    [
        (CHURN[:1], {PATH: ("churn", None), f"/models/churn{PATH}": ("churn", None)}),
        (
            (*CHURN, *REVIEWS),
            {
                f"/models/churn{PATH}": ("churn", None),
                f"/models/churn/versions/10{PATH}": ("churn", "10"),
                f"/models/churn/versions/9{PATH}": ("churn", "9"),
                f"/models/reviews{PATH}": ("reviews", None),
            },
        ),
    ],
)
def test_each_model_has_an_address_for_it(
    serve: Serve,
    url: str,
    ask: Ask,
    held: tuple[Held, ...],
    orders: dict[str, tuple[str, str | None]],
) -> None:
    client = serve(*held, FORKCAST_JOBS_URL=url)

    assert versions_asked(client, ask, list(orders)) == list(orders.values())


def test_without_a_model_there_is_nothing_to_queue_for(client_of: MakeClient, url: str) -> None:
    assert post(client_of(None, jobs_url=url, on_load_failure="unready")).status_code == 503


def test_a_job_is_its_owners_alone(
    client_of: MakeClient, text_runtime: Runtime, url: str, ask: Ask, tmp_path: Path
) -> None:
    names = {"one": "jobs", "two": "jobs,predict", "predicts": "predict,admin"}
    digest = hashlib.sha256(SECRET.encode()).hexdigest()
    keys = tmp_path / "keys"
    keys.touch(mode=0o640)
    keys.write_text("".join(f"{name} {digest} {scopes}\n" for name, scopes in names.items()))
    client = client_of(text_runtime, jobs_url=url, api_keys_file=str(keys))

    def as_(name: str, method: str, path: str) -> int:
        headers = {"x-api-key": f"{name}.{SECRET}"}
        body = {"json": BODY} if method == "POST" else {}
        return client.request(method, path, headers=headers, **body).status_code  # type: ignore[arg-type]

    address = post(client, **{"x-api-key": f"one.{SECRET}"}).headers["location"]

    assert ask(claimed).order.owner == "one"
    assert [as_(name, "GET", address) for name in names] == [200, 404, 403]
    assert [as_(name, "DELETE", address) for name in ("two", "predicts", "one")] == [404, 403, 200]
    assert [as_(name, "POST", PATH) for name in names] == [202, 202, 403]
    assert [as_(name, "POST", "/predict_batch") for name in names] == [403, 200, 200]
    assert client.get(address).status_code == 401


def test_another_method_is_refused_with_those_that_there_are(client: TestClient) -> None:
    answer = client.put("/jobs/" + "f" * 32)

    assert (answer.status_code, set(answer.headers["allow"].split(", "))) == (405, {"GET", "DELETE"})


def test_the_document_has_the_routes(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]

    enqueue = paths[PATH]["post"]
    assert set(enqueue["responses"]) >= {"202", "400", "413", "415", "422", "503"}
    assert "200" not in enqueue["responses"]
    assert [parameter["name"] for parameter in enqueue["parameters"]] == ["Idempotency-Key"]
    taken = enqueue["requestBody"]["content"]["application/json"]
    assert taken == paths["/predict_batch"]["post"]["requestBody"]["content"]["application/json"]
    told = paths["/jobs/{request_id}"]
    assert set(told) == {"get", "delete"}
    assert all(set(each["responses"]) >= {"200", "404", "503"} for each in told.values())
