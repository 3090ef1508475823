"""
A record as JSON, written in steps: between two of them the event loop may go on, however many instances there are.
"""

import hashlib
import json
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar

import orjson

from app import instances as block
from app.prediction_log.record import Record
from app.runtimes.base import Output, Predictions

InstancesForm = Literal["full", "hash", "none"]
OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS
# About the memory of the values that are written in one step.
STEP_BYTES = 2**16
# From the first row of a part, and the one behind its last, to the rows.
Rows = Callable[[int, int], Sequence[Any]]
Made = TypeVar("Made")
Steps = Generator[None, None, Made]


@dataclass(frozen=True, slots=True)
class Document:
    """
    One record as it is written. What is JSON already is bytes; None is null there.

    `id` is unique, and stays with the record however often it is written.
    """

    id: str
    time: datetime
    request_id: str
    key: str | None
    model: str
    version: str
    rows: int
    seconds: float
    entity_ids: bytes | None
    parameters: bytes | None
    instances: bytes | None
    instances_sha256: str | None
    predictions: bytes
    classes: bytes | None

    @property
    def line(self) -> bytes:
        """One JSON object, with a newline behind it."""
        head = {
            "id": self.id, "time": rfc3339(self.time), "request_id": self.request_id, "key": self.key,
            "model": self.model, "version": self.version, "rows": self.rows, "seconds": self.seconds,
            "instances_sha256": self.instances_sha256,
        }  # fmt: skip
        null = b"null"
        return b'%b,"entity_ids":%b,"parameters":%b,"instances":%b,"predictions":%b,"classes":%b}\n' % (
            orjson.dumps(head)[:-1], self.entity_ids or null, self.parameters or null, self.instances or null,
            self.predictions, self.classes or null,
        )  # fmt: skip


def rfc3339(moment: datetime) -> str:
    """Of one in UTC, with microseconds."""
    return moment.isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def document(id_: str, record: Record, form: InstancesForm) -> Steps[Document]:
    """Raises TypeError or ValueError for what JSON does not have."""
    model, entity_ids = record.model, record.entity_ids
    has_probabilities = any(each.probabilities is not None for each in record.predicted.values())
    whole, digest = yield from FORMS[form](record)
    members = []
    for name, rows in _outputs(record):
        listed = yield from _list(record, rows)
        members.append(b'"%b":%b' % (name.encode(), listed))
    return Document(
        id=id_,
        time=datetime.fromtimestamp(record.time, UTC),
        request_id=record.request_id,
        key=record.key or None,
        model=model.name,
        version=model.version,
        rows=record.rows,
        seconds=round(record.seconds, 6),
        entity_ids=None if entity_ids is None else (yield from _list(record, rows_of(entity_ids))),
        parameters=orjson.dumps(record.parameters, option=OPTIONS) if record.parameters else None,
        instances=whole,
        instances_sha256=digest,
        predictions=b"{%b}" % b",".join(members),
        classes=orjson.dumps(model.classes or model.classes_of_labels) if has_probabilities else None,
    )


def _whole(record: Record) -> Steps[tuple[bytes | None, str | None]]:
    return (yield from _list(record, rows_of(record.asked))), None


def _hashed(record: Record) -> Steps[tuple[bytes | None, str | None]]:
    digest = hashlib.sha256()
    for piece in _pieces(record, rows_of(record.asked), canonical):
        digest.update(piece)
        yield
    return None, digest.hexdigest()


def _left_out(record: Record) -> Steps[tuple[bytes | None, str | None]]:
    yield
    return None, None


FORMS = {"full": _whole, "hash": _hashed, "none": _left_out}


def _list(record: Record, rows: Rows) -> Steps[bytes]:
    pieces = []
    for piece in _pieces(record, rows):
        pieces.append(piece)
        yield
    return b"".join(pieces)


def plain(rows: Sequence[Any]) -> bytes:
    """As JSON."""
    return orjson.dumps(rows, option=OPTIONS)


def canonical(rows: Sequence[Any]) -> bytes:
    """The same in the one form that is hashed, so that who has the instances can do it too, with Python's own json."""
    return json.dumps(orjson.loads(plain(rows)), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _pieces(record: Record, rows: Rows, form: Callable[[Sequence[Any]], bytes] = plain) -> Iterator[bytes]:
    """A list of as many as the record has rows."""
    step = max(1, record.rows * STEP_BYTES // record.weight)
    if step >= record.rows:
        yield form(rows(0, record.rows))
        return
    before = b"["
    for start in range(0, record.rows, step):
        yield before + form(rows(start, min(start + step, record.rows)))[1:-1]
        before = b","
    yield b"]"


def rows_of(asked: Any) -> Rows:
    """Of instances as they came, or of a block: there a row is a list of the columns' values, in their order."""
    if isinstance(asked, dict):
        return lambda start, stop: _across(block.part(asked, start, stop))
    if isinstance(asked, list | tuple):
        return lambda start, stop: asked[start:stop]
    return lambda start, stop: asked[start:stop].tolist()


def _across(columns: Any) -> list[tuple[Any, ...]]:
    return list(zip(*(column.tolist() for column in columns.values()), strict=True))


def _outputs(record: Record) -> list[tuple[Output, Rows]]:
    """What was predicted, with its probabilities, or what was computed in its place."""
    found: dict[Output, Rows] = {}
    for name, predictions in record.predicted.items():
        if predictions.probabilities is None:
            found[name] = _values(predictions)
        else:
            found["predict"] = _values(predictions)
            found["predict_proba"] = rows_of(predictions.probabilities)
    return list(found.items())


def _values(predictions: Predictions) -> Rows:
    return lambda start, stop: list(predictions.values[start:stop])
