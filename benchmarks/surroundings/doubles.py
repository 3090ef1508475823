"""A model whose right answers are plain: it doubles the number that the feature store has of an entity."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from benchmarks.engine.client import Client, Reply
from benchmarks.engine.estimators import Doubles, saved
from benchmarks.failures import WrongAnswer
from benchmarks.server import Server, serving
from benchmarks.surroundings.store import Rows, Store

COLUMN = "x0"
ENTITIES = 500
DEFAULT = -1.0
# No entity's: who is answered a default is told from who is answered his own.
ROWS: Rows = {str(number): {COLUMN: float(number)} for number in range(ENTITIES)}
RIGHT = frozenset({2 * DEFAULT, *(2.0 * number for number in range(ENTITIES))})


@contextmanager
def doubling(store: Store, folder: Path, *, workers: int, settings: Mapping[str, str]) -> Iterator[Server]:
    """A Forkcast that is ready and asks the store; its files go to `folder`, which is made."""
    folder.mkdir()
    artifact = saved(Doubles().fit(), folder / "doubles.joblib")
    defaults = folder / "defaults.json"
    defaults.write_text(json.dumps({COLUMN: DEFAULT}))
    given = {"FORKCAST_FEATURES_URL": store.url, "FORKCAST_FEATURES_DEFAULTS_FILE": str(defaults), **settings}
    with serving(workers=workers, execution="microbatch", model_uri=artifact, folder=folder, settings=given) as server:
        yield server


async def asked(client: Client, number: int) -> Reply:
    """Of an entity; raises Failed, and WrongAnswer where a 200 is neither its own nor said to be the default."""
    reply = await client.post({"entity_id": str(number)})
    if reply.status == 200:
        answer = reply.document
        right = DEFAULT if is_default(reply) else float(number)
        if answer["prediction"] != 2 * right:
            raise WrongAnswer(f"entity {number} was answered {answer!r}")
    return reply


def is_default(reply: Reply) -> bool:
    return bool(reply.document.get("features") == "default")
