"""Our own dialect's /predict_batch, in the background: a route that queues, and what is then done for its jobs."""

import asyncio
import re

import orjson
from starlette.exceptions import HTTPException
from starlette.types import Scope

from app.api.deps import Key, Serving, job_queue, owner, serving
from app.api.json_bodies import batch_of, check_content_type, read_batch
from app.api.lean_route import JSON_TYPE, Answering, Reply
from app.api.native_answers import listed, members, signed
from app.api.native_endpoints import form_of_batch
from app.caller import Caller
from app.errors import BadInput, ContentRejected, RefusedByModel, UnknownEntity
from app.jobs.base import Claim, Job, Order
from app.jobs.work import Progress, Unworkable

IDEMPOTENCY_KEY = re.compile(rb"[!-~]{1,255}")
INVALID_KEY = "The header Idempotency-Key must be 1 to 255 visible ASCII characters, and come once"
MOST_RESULT = "FORKCAST_JOBS_MAX_RESULT_BYTES allows no more"
# Some tenths of a second of a slow model; what is done is seen, and what is cancelled ends, after each.
ROWS_A_PART = 2_000


def enqueue_batch(model: Key, *, newest: bool, most_checked_bytes: int) -> Answering:
    """
    Answers once the job is durable.

    A body up to `most_checked_bytes` is refused here for whatever /predict_batch would refuse it for; to look into a
    larger one would take the loop's time, and so its job fails for it. `newest`: the version that is so when it runs.
    """

    async def enqueue(scope: Scope, body: bytes) -> Reply:
        key = _idempotency_key(scope)
        predictor = serving(scope).predictor(model)
        check_content_type(scope)
        if len(body) <= most_checked_bytes:
            form = form_of_batch(predictor.model)
            asked = read_batch(scope, body, form)
            await predictor.check(asked.instances, form.field, output=asked.output, entities=asked.entities)
        name, version = model
        order = Order("predict", name, None if newest else version, owner(scope), body, key)
        return queued(await job_queue(scope).enqueue(order))

    return enqueue


def _idempotency_key(scope: Scope) -> str | None:
    given = [value for name, value in scope["headers"] if name == b"idempotency-key"]
    if not given:
        return None
    if len(given) > 1 or not IDEMPOTENCY_KEY.fullmatch(given[0]):
        raise HTTPException(400, INVALID_KEY)
    return str(given[0], "ascii")


def queued(job: Job) -> Reply:
    """Just now, or with a key that is known before: then it may have ended."""
    told = {"message": "Task queued for background processing", "request_id": job.id, "status": job.status}
    return Reply(orjson.dumps(told), [JSON_TYPE, (b"location", f"/jobs/{job.id}".encode())], 202)


class BatchWork:
    """
    For a job: the body that /predict_batch would answer to its payload, but that its request id is the job's.

    A model or version that is not known is no reason to give up: who enqueued may know it from a reload that this
    process has yet to be replaced for.
    """

    def __init__(self, part: Serving, *, most_result_bytes: int) -> None:
        self._part = part
        self._most_result_bytes = most_result_bytes

    async def __call__(self, claim: Claim, progress: Progress) -> bytes:
        try:
            return await self._predict(claim, progress)
        except (BadInput, ContentRejected, RefusedByModel, UnknownEntity) as error:
            raise Unworkable(str(error)) from error
        except HTTPException as error:
            raise Unworkable(error.detail) from error

    async def _predict(self, claim: Claim, progress: Progress) -> bytes:
        order = claim.order
        predictor = self._part.predictor(self._part.key(order.model, order.version))
        form = form_of_batch(predictor.model)
        # A large body is looked into apart, so that the claim is renewed meanwhile.
        asked = await asyncio.to_thread(batch_of, order.payload, form)
        progress.done, progress.total = 0, len(asked.instances)
        caller = Caller(request_id=claim.id, key=order.owner)
        parts: list[bytes] = []
        async for answer in predictor.predict_in_parts(
            asked.instances, form.field, caller, output=asked.output, entities=asked.entities, rows_a_part=ROWS_A_PART
        ):
            parts.append(members(answer))
            self._check(sum(map(len, parts)))
            progress.done += len(answer.predictions.values)
        result = signed(listed(parts), predictor.model, claim.id)
        self._check(len(result))
        return result

    def _check(self, result_bytes: int) -> None:
        if result_bytes > self._most_result_bytes:
            raise Unworkable(f"The result is larger than {self._most_result_bytes} bytes: {MOST_RESULT}")
