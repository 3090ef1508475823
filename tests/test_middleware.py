"""What every request passes, around small ASGI applications."""

import asyncio
import json
import re
import time
from typing import Any

import pytest
from prometheus_client import REGISTRY
from starlette.types import Message, Receive, Scope, Send

from app import metrics
from app.admission import Admission, Gate
from app.body_limits import BodyLimits
from app.errors import BodyTooLarge
from app.main import create_app
from app.middleware import Account, BodyLimit
from app.model_store import ModelStore
from app.pace import Pace
from app.runtimes.base import Runtime
from app.settings import Settings
from tests.waiting import until

Answer = tuple[int, dict[str, str], Any]
TEN = BodyLimits(10, queued=100)


async def ask(app: Any, *, headers: dict[str, str] | None = None, body: list[bytes] | None = None) -> Answer:
    """One request through `app`: status, headers, and the document or text; what it reads is taken off `body`."""
    chunks = [b""] if body is None else body
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": chunks.pop(0), "more_body": bool(chunks)}

    async def send(message: Message) -> None:
        sent.append(message)

    raw = [(name.encode(), value.encode("latin-1")) for name, value in (headers or {}).items()]
    state = {"request_id": "r", "headers": dict(raw)}
    scope: Scope = {"type": "http", "method": "POST", "path": "/predict", "headers": raw, "state": state}
    await app(scope, receive, send)
    answered = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    content = b"".join(message.get("body", b"") for message in sent)
    return sent[0]["status"], answered, json.loads(content) if content.startswith(b"{") else content


async def ok(scope: Scope, receive: Receive, send: Send) -> None:
    """Reads the whole body and answers 200."""
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})


async def broken(scope: Scope, receive: Receive, send: Send) -> None:
    raise ZeroDivisionError("SECRET")


def account(app: Any) -> Account:
    return Account(app, worker_header=True, access_log=False)


@pytest.mark.parametrize("given", ["abc-123", "A.b_c~9", "x" * 128])
def test_a_sane_request_id_is_the_clients(given: str) -> None:
    _, headers, _ = asyncio.run(ask(account(ok), headers={"x-request-id": given}))

    assert headers["x-request-id"] == given


@pytest.mark.parametrize("given", ["", "x" * 129, "a b", "a\r\nset-cookie: x", "\x1b[31m", "<script>", "é"])
def test_another_request_id_is_replaced(given: str) -> None:
    _, headers, _ = asyncio.run(ask(account(ok), headers={"x-request-id": given}))

    assert re.fullmatch("[0-9a-f]{32}", headers["x-request-id"])


def test_two_requests_have_two_ids() -> None:
    first, second = (asyncio.run(ask(account(ok)))[1]["x-request-id"] for _ in range(2))

    assert first != second


def test_a_fault_below_is_a_500_that_says_nothing() -> None:
    status, headers, document = asyncio.run(ask(account(broken)))

    assert status == 500
    assert "SECRET" not in json.dumps(document)
    assert document["request_id"] == headers["x-request-id"]


def test_what_was_in_flight_is_counted_down_after_a_fault() -> None:
    def in_flight() -> bytes:
        return next(line for line in metrics.render()[0].splitlines() if line.startswith(b"forkcast_in_flight"))

    before = in_flight()

    asyncio.run(ask(account(broken)))

    assert in_flight() == before


def admitting(app: Any, *, limit: int = 100, timeout_seconds: float = 30.0, pace: Pace | None = None) -> Admission:
    return Admission(app, gate=Gate(limit=limit, timeout_seconds=timeout_seconds, pace=pace or Pace()))


def shed(reason: str = "full") -> float:
    return REGISTRY.get_sample_value("forkcast_shed_requests_total", {"reason": reason}) or 0.0


def test_the_request_over_the_limit_is_refused_before_its_body_is_read() -> None:
    async def main() -> tuple[Answer, Answer, Answer]:
        inside, release = asyncio.Event(), asyncio.Event()

        async def slow(scope: Scope, receive: Receive, send: Send) -> None:
            inside.set()
            await release.wait()
            await ok(scope, receive, send)

        admission = admitting(slow, limit=1)
        held = asyncio.ensure_future(ask(admission))
        await inside.wait()
        unread = [b"never read"]
        refused = await ask(admission, body=unread)
        assert unread == [b"never read"]
        release.set()
        return await held, refused, await ask(admission)

    before = shed()
    held, refused, afterwards = asyncio.run(main())

    assert shed() == before + 1
    assert (held[0], refused[0], afterwards[0]) == (200, 503, 200)
    assert refused[1]["retry-after"] == "1"


def test_a_place_is_free_again_after_a_fault() -> None:
    admission = admitting(broken, limit=1)

    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            asyncio.run(ask(admission))


class Holding:
    """An application that holds every request but those with a short timeout of their own."""

    def __init__(self) -> None:
        self.release = asyncio.Event()
        self.held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not scope["headers"]:
            self.held += 1
            await self.release.wait()
        await ok(scope, receive, send)


def while_held(admission: Admission, app: Holding, headers: dict[str, str], held: int = 1) -> Answer:
    """The answer to a request that comes while `held` others are inside."""

    async def main() -> Answer:
        others = [asyncio.ensure_future(ask(admission)) for _ in range(held)]
        await until(lambda: app.held == held)
        try:
            return await asyncio.wait_for(ask(admission, headers=headers), 10)
        finally:
            app.release.set()
            await asyncio.gather(*others)

    return asyncio.run(main())


def paced(seconds: float) -> Pace:
    """As if each request took so long."""
    pace = Pace()
    pace.took(seconds, 1)
    return pace


@pytest.mark.parametrize(("milliseconds", "status"), [("450", 503), ("5000", 200)])
def test_a_request_that_would_be_answered_too_late_is_refused_at_once(milliseconds: str, status: int) -> None:
    app = Holding()
    admission = admitting(app, pace=paced(0.1))
    before = shed("slow")

    answer = while_held(admission, app, {"x-request-timeout-ms": milliseconds}, held=4)

    assert answer[0] == status
    assert shed("slow") == before + (status == 503)


def test_a_lone_request_is_tried_however_slow_the_model_is() -> None:
    answer = asyncio.run(ask(admitting(ok, pace=paced(100.0)), headers={"x-request-timeout-ms": "50"}))

    assert answer[0] == 200


def test_a_client_may_shorten_its_deadline_and_not_lengthen_it() -> None:
    deadlines = {}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        deadlines[dict(scope["headers"]).get(b"x-request-timeout-ms")] = scope["state"]["caller"].deadline
        await ok(scope, receive, send)

    admission = admitting(app, timeout_seconds=10.0)
    began = time.monotonic()
    for given in ({}, {"x-request-timeout-ms": "2000"}, {"x-request-timeout-ms": "99999999"}):
        asyncio.run(ask(admission, headers=given))
    ended = time.monotonic()

    assert began <= deadlines[None] - 10.0 <= ended
    assert began <= deadlines[b"2000"] - 2.0 <= ended
    assert began <= deadlines[b"99999999"] - 10.0 <= ended


@pytest.mark.parametrize("given", ["", "0", "-5", "1.5", "soon", "1" * 12, "5 "])
def test_a_timeout_that_is_no_number_of_milliseconds_is_refused_by_its_name(given: str) -> None:
    status, _, document = asyncio.run(ask(admitting(ok), headers={"x-request-timeout-ms": given}))

    assert status == 400
    assert "X-Request-Timeout-Ms" in document["detail"]


@pytest.mark.parametrize(("seconds", "least", "most"), [(0.001, 1, 1), (2.0, 6, 9), (500.0, 60, 60)])
def test_a_refused_client_is_told_when_what_is_held_will_be_done(seconds: float, least: int, most: int) -> None:
    app = Holding()
    admission = admitting(app, limit=3, pace=paced(seconds), timeout_seconds=1e6)

    _, headers, _ = while_held(admission, app, {}, held=3)

    assert least <= int(headers["retry-after"]) <= most


def test_a_declared_body_over_the_limit_is_refused_unread() -> None:
    unread = [b"x" * 11]

    status, headers, document = asyncio.run(
        ask(BodyLimit(broken, limits=TEN), headers={"content-length": "11"}, body=unread)
    )

    assert unread == [b"x" * 11]
    assert status == 413
    assert "10 bytes" in document["detail"]
    assert "connection" not in headers


def test_a_very_large_declared_body_ends_the_connection() -> None:
    _, headers, _ = asyncio.run(ask(BodyLimit(broken, limits=TEN), headers={"content-length": "100000"}))

    assert headers["connection"] == "close"


def test_a_body_of_the_limit_passes() -> None:
    status, _, _ = asyncio.run(ask(BodyLimit(ok, limits=TEN), headers={"content-length": "10"}, body=[b"x" * 10]))

    assert status == 200


def test_a_body_without_a_length_is_counted() -> None:
    chunked = {"transfer-encoding": "chunked"}
    limited = BodyLimit(ok, limits=TEN)

    passed, _, _ = asyncio.run(ask(limited, headers=chunked, body=[b"x" * 5, b"x" * 5]))
    with pytest.raises(BodyTooLarge):
        asyncio.run(ask(limited, headers=chunked, body=[b"x" * 5, b"x" * 6]))

    assert passed == 200


def test_a_client_that_leaves_in_mid_body_is_no_fault_of_the_server(text_runtime: Runtime) -> None:
    app = create_app(Settings(), ModelStore.of(text_runtime))
    sent: list[Message] = []

    async def leave() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Scope = {"type": "http", "method": "POST", "path": "/predict", "headers": [], "query_string": b""}
    asyncio.run(app(scope, leave, send))  # type: ignore[arg-type]

    assert sent[0]["status"] == 499


def test_the_inner_parts_learn_who_asks() -> None:
    callers = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        callers.append(scope["state"]["caller"])
        scope["state"].pop("caller")
        await ok(scope, receive, send)

    async def keyed(scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"]["key"] = "ci"
        await admitting(app)(scope, receive, send)

    asyncio.run(ask(admitting(app)))
    asyncio.run(ask(keyed))

    assert [(caller.request_id, caller.key) for caller in callers] == [("r", ""), ("r", "ci")]


def test_what_is_only_queued_may_be_larger() -> None:
    limits = BodyLimits(10, queued=100)

    sizes = {path: limits.of(path) for path in ("/predict", "/predict_background", "/models/a/predict_background")}

    assert list(sizes.values()) == [10, 100, 100]
