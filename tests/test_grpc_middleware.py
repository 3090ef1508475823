"""What every gRPC call passes: account, authorization, admission."""

import asyncio
import hashlib
import math
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from prometheus_client import REGISTRY

from app.admission import Gate
from app.api_keys import ApiKeys, Known
from app.caller import ANYONE, Caller
from app.grpc_calls import Call, Code, Refused, Service
from app.grpc_middleware import CallAccount, CallAdmission, CallAuthorization, assemble
from app.pace import Pace
from tests.waiting import until

INFER, LIVE = "/inference.GRPCInferenceService/ModelInfer", "/inference.GRPCInferenceService/ServerLive"
KEYS = ApiKeys({
    "one": Known(hashlib.sha256(b"secret").digest(), frozenset({"predict"})),
    "two": Known(hashlib.sha256(b"secret").digest(), frozenset({"jobs"})),
})  # fmt: skip


async def never() -> bytes:
    raise AssertionError("the message is not to be read")


def call(path: str = INFER, **headers: str) -> Call:
    named = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
    return Call(path, named, "one", time.monotonic(), ANYONE, never, [].append)


async def ok(call: Call) -> bytes:
    return b"ok"


def asked(service: Service, call: Call) -> bytes | Refused:
    return asyncio.run(whole(service, call))


async def whole(service: Service, call: Call) -> bytes | Refused:
    """As a connection has it: what is to be done at its end is done."""
    ends: list[Callable[[], None]] = []
    try:
        return await service(replace(call, at_end=ends.append))
    finally:
        for end in ends:
            end()


def counted(**labels: str) -> float:
    return REGISTRY.get_sample_value("forkcast_grpc_requests_total", labels) or 0.0


@pytest.mark.parametrize(("path", "answer", "labels"), [
    (INFER, b"ok", {"method": "ModelInfer", "code": "OK"}),
    (INFER, Refused(Code.NOT_FOUND, "no"), {"method": "ModelInfer", "code": "NOT_FOUND"}),
    ("/made/up", Refused(Code.UNIMPLEMENTED, "no"), {"method": "other", "code": "UNIMPLEMENTED"}),
], ids=["answered", "refused", "unknown"])  # fmt: skip
def test_each_call_is_counted_and_timed(path: str, answer: bytes | Refused, labels: dict[str, str]) -> None:
    async def answering(call: Call) -> bytes | Refused:
        return answer

    by_worker = "forkcast_worker_requests_total", {"slot": "0"}
    answered_before = REGISTRY.get_sample_value(*by_worker) or 0.0
    timed = "forkcast_grpc_request_duration_seconds_count", {"method": labels["method"]}
    before = counted(**labels), REGISTRY.get_sample_value(*timed) or 0.0

    assert asked(CallAccount(answering, methods=[INFER], access_log=False), call(path)) == answer
    assert (counted(**labels), REGISTRY.get_sample_value(*timed)) == (before[0] + 1, before[1] + 1)
    assert REGISTRY.get_sample_value(*by_worker) == answered_before + 1


def test_a_call_is_in_flight_until_its_answer_is_away() -> None:
    ends: list[Callable[[], None]] = []
    before = REGISTRY.get_sample_value("forkcast_in_flight_requests") or 0.0

    async def main() -> bytes | Refused:
        return await CallAccount(ok, methods=[INFER], access_log=False)(replace(call(), at_end=ends.append))

    assert asyncio.run(main()) == b"ok"
    assert REGISTRY.get_sample_value("forkcast_in_flight_requests") == before + 1
    for end in ends:
        end()
    assert REGISTRY.get_sample_value("forkcast_in_flight_requests") == before


def test_a_fault_is_counted_and_goes_on() -> None:
    async def broken(call: Call) -> bytes:
        raise ZeroDivisionError

    labels = {"method": "ModelInfer", "code": "INTERNAL"}
    before = counted(**labels), REGISTRY.get_sample_value("forkcast_in_flight_requests")

    with pytest.raises(ZeroDivisionError):
        asked(CallAccount(broken, methods=[INFER], access_log=False), call())

    assert (counted(**labels), REGISTRY.get_sample_value("forkcast_in_flight_requests")) == (before[0] + 1, before[1])


@pytest.mark.parametrize("access_log", [True, False])
def test_a_call_is_logged_where_requests_are(caplog: pytest.LogCaptureFixture, access_log: bool) -> None:
    caplog.set_level("INFO")
    asked(CallAccount(ok, methods=[INFER], access_log=access_log), call())

    assert ("'method': 'ModelInfer'" in caplog.text) is access_log


@pytest.mark.parametrize(("headers", "answer"), [
    ({"authorization": "Bearer one.secret"}, b"ok"),
    ({"x_api_key": "one.secret"}, b"ok"),
    ({"x_api_key": "one.other"}, Code.UNAUTHENTICATED),
    ({}, Code.UNAUTHENTICATED),
    ({"x_api_key": "two.secret"}, Code.PERMISSION_DENIED),
], ids=str)  # fmt: skip
def test_a_key_that_may_predict_is_wanted(headers: dict[str, str], answer: bytes | Code) -> None:
    service = CallAuthorization(ok, keys=KEYS, open_=[LIVE])

    told = asked(service, call(**headers))

    assert (told.code if isinstance(told, Refused) else told) == answer
    assert asked(service, call(LIVE, **headers)) == b"ok"


class Held:
    """So many calls that are inside, until they are let go."""

    def __init__(self, service: Callable[[Service], Service], count: int) -> None:
        self.let_go = asyncio.Event()
        self.callers: list[Caller] = []
        self.service = service(self._hold)
        self.tasks = [asyncio.ensure_future(whole(self.service, call())) for _ in range(count)]

    async def _hold(self, call: Call) -> bytes:
        self.callers.append(call.caller)
        await self.let_go.wait()
        return b"held"

    async def end(self) -> list[Any]:
        self.let_go.set()
        return await asyncio.gather(*self.tasks)


def admitting(limit: int = 100, pace: Pace | None = None) -> Callable[[Service], Service]:
    gate = Gate(limit=limit, timeout_seconds=30.0, pace=pace or Pace())
    return lambda service: CallAdmission(service, gate=gate, always=[LIVE])


def test_the_call_over_the_limit_is_refused_and_who_watches_is_not() -> None:
    async def main() -> tuple[Any, ...]:
        held = Held(admitting(limit=2), 2)
        await until(lambda: len(held.callers) == 2)
        over = await whole(held.service, call())
        watching = asyncio.ensure_future(whole(held.service, call(LIVE)))
        return over, await held.end(), await watching, await whole(held.service, call())

    over, ended, watching, afterwards = asyncio.run(main())

    assert over == Refused(Code.UNAVAILABLE, "This worker already holds 2 requests")
    assert (ended, watching, afterwards) == ([b"held", b"held"], b"held", b"held")


def test_a_call_that_would_wait_for_longer_than_it_may_is_refused() -> None:
    pace = Pace()
    pace.took(1.0, 1)

    async def main() -> tuple[Any, Any]:
        held = Held(admitting(pace=pace), 1)
        await until(lambda: len(held.callers) == 1)
        short = await held.service(call(grpc_timeout="1500m"))
        held.tasks.append(asyncio.ensure_future(whole(held.service, call(grpc_timeout="5S"))))
        await until(lambda: len(held.callers) == 2)
        return short, await held.end()

    short, ended = asyncio.run(main())

    assert isinstance(short, Refused)
    assert short.code is Code.UNAVAILABLE
    assert ended == [b"held", b"held"]


@pytest.mark.parametrize(("given", "seconds"), [
    ("20m", 0.02), ("7S", 7.0), ("2M", 30.0), ("1H", 30.0), ("5000000u", 5.0), ("10000000n", 0.01), (None, 30.0),
])  # fmt: skip
def test_a_call_has_its_deadline(given: str | None, seconds: float) -> None:
    seen: list[Call] = []

    async def seeing(call: Call) -> bytes:
        seen.append(call)
        return b"ok"

    asked_ = call() if given is None else call(grpc_timeout=given)
    left = replace(asked_, caller=Caller(has_left=lambda: True))

    assert asked(admitting()(seeing), left) == b"ok"
    assert math.isclose(seen[0].caller.deadline - left.arrived, seconds)
    assert seen[0].caller.has_left()


@pytest.mark.parametrize("given", ["", "soon", "5", "S", "-1S", "123456789S", "1.5S", "5s"])
def test_a_timeout_that_is_none_is_refused(given: str) -> None:
    told = asked(admitting()(ok), call(grpc_timeout=given))

    assert isinstance(told, Refused)
    assert (told.code, "grpc-timeout" in told.detail) == (Code.INVALID_ARGUMENT, True)


def test_who_has_no_key_takes_no_place() -> None:
    gate = Gate(limit=1, timeout_seconds=30.0, pace=Pace())
    service = assemble(ok, methods=[INFER], watching=[LIVE], gate=gate, keys=KEYS, access_log=False)
    gate.enter(time.monotonic(), 1.0)

    refused, full = asked(service, call()), asked(service, call(x_api_key="one.secret"))

    assert isinstance(refused, Refused)
    assert isinstance(full, Refused)
    assert (refused.code, full.code) == (Code.UNAUTHENTICATED, Code.UNAVAILABLE)


def test_the_service_learns_who_asks() -> None:
    callers: list[Caller] = []

    async def service(call: Call) -> bytes:
        callers.append(call.caller)
        return b"ok"

    shown = replace(call(authorization="Bearer one.secret"), request_id="r-1")
    asked(CallAuthorization(admitting()(service), keys=KEYS, open_=[LIVE]), shown)

    assert [(caller.request_id, caller.key) for caller in callers] == [("r-1", "one")]
