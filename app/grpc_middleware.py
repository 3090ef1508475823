"""What every gRPC call passes, as every request over HTTP does: account, authorization, admission."""

import math
import re
import time
from collections.abc import Collection
from dataclasses import replace

import structlog

from app import metrics
from app.admission import Gate
from app.api.error_responses import grpc_refusal
from app.api_keys import ApiKeys, name_of
from app.authorization import presented
from app.errors import Forbidden, NoApiKey, Overloaded
from app.grpc_calls import Call, Code, Refused, Service

log = structlog.stdlib.get_logger("forkcast")
TIMEOUT = re.compile(rb"([0-9]{1,8})([HMSmun])")
UNITS = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}
INVALID_TIMEOUT = Refused(
    Code.INVALID_ARGUMENT, "The header grpc-timeout must be up to 8 digits and H, M, S, m, u or n"
)


class CallAccount:
    """Counts and times each call; outermost."""

    def __init__(self, service: Service, *, methods: Collection[str], access_log: bool) -> None:
        self._service = service
        # By its path, the name that a method is counted under.
        self._names = {path: path.rpartition("/")[2] for path in methods}
        self._access_log = access_log

    async def __call__(self, call: Call) -> bytes | Refused:
        started = time.perf_counter()
        metrics.in_flight().inc()
        call.at_end(lambda: metrics.in_flight().inc(-1.0))
        code = Code.INTERNAL
        try:
            answer = await self._service(call)
            code = answer.code if isinstance(answer, Refused) else Code.OK
            return answer
        finally:
            seconds = time.perf_counter() - started
            method = self._names.get(call.path, "other")
            metrics.of_call(method, code.name).answered(seconds)
            metrics.worker_requests().inc()
            if self._access_log:
                log.info("call", method=method, code=code.name, seconds=round(seconds, 6), request_id=call.request_id)


class CallAuthorization:
    """Whoever predicts needs a key with the scope `predict`; the paths in `open_` take none."""

    def __init__(self, service: Service, *, keys: ApiKeys, open_: Collection[str]) -> None:
        self._service = service
        self._keys = keys
        self._open = open_

    async def __call__(self, call: Call) -> bytes | Refused:
        if call.path not in self._open:
            key = presented(call.headers)
            scopes = self._keys.scopes(key)
            if key is None or scopes is None:
                return grpc_refusal(NoApiKey(), call.request_id)
            if "predict" not in scopes:
                return grpc_refusal(Forbidden("predict"), call.request_id)
            call = replace(call, caller=replace(call.caller, key=name_of(key)))
        return await self._service(call)


class CallAdmission:
    """Asks the gate, but for the paths in `always`; an admitted call has its deadline."""

    def __init__(self, service: Service, *, gate: Gate, always: Collection[str]) -> None:
        self._service = service
        self._gate = gate
        self._always = always

    async def __call__(self, call: Call) -> bytes | Refused:
        if call.path in self._always:
            return await self._service(call)
        seconds = _own_timeout(call.headers.get(b"grpc-timeout"))
        if seconds is None:
            return INVALID_TIMEOUT
        try:
            deadline = self._gate.enter(call.arrived, seconds)
        except Overloaded as error:
            return grpc_refusal(error, call.request_id)
        call.at_end(self._gate.leave)
        caller = replace(call.caller, deadline=deadline, request_id=call.request_id)
        return await self._service(replace(call, caller=caller))


def assemble(
    service: Service,
    *,
    methods: Collection[str],
    watching: Collection[str],
    gate: Gate,
    access_log: bool,
    keys: ApiKeys | None = None,
) -> Service:
    """The stack around `service`, outermost last; `watching` are the methods of who watches the server."""
    service = CallAdmission(service, gate=gate, always=watching)
    if keys is not None:
        service = CallAuthorization(service, keys=keys, open_=watching)
    return CallAccount(service, methods=methods, access_log=access_log)


def _own_timeout(given: bytes | None) -> float | None:
    """The seconds that the client gives it, infinitely many without a header, None for a header that says none."""
    if given is None:
        return math.inf
    parts = TIMEOUT.fullmatch(given)
    return None if parts is None else int(parts[1]) * UNITS[parts[2]]
