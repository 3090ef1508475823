"""What the techniques with a feature store share: a request that names an entity, and the text that is stored of it."""

import json
import os

from pydantic import BaseModel

URL = os.environ["FEATURES_URL"]
JSON = {"content-type": "application/json"}
COLUMN = "text"


class Entity(BaseModel):
    """`{"entity_id": ...}`."""

    entity_id: str


def query(entity_id: str) -> bytes:
    return json.dumps({"entity_ids": [entity_id], "columns": [COLUMN]}).encode()


def text_in(answer: bytes, entity_id: str) -> str:
    text: str = json.loads(answer)["features"][entity_id][COLUMN]
    return text
