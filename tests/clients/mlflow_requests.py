"""What is asked of MLflow's server and of Forkcast alike."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

JSON, CSV = "application/json", "text/csv"
NAN = float("nan")


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request; `content_type` None leaves the header away."""

    body: bytes = b""
    content_type: str | None = JSON
    method: str = "POST"
    path: str = "/invocations"

    @property
    def headers(self) -> dict[str, str]:
        return {} if self.content_type is None else {"content-type": self.content_type}


def sent(body: str | bytes, content_type: str | None = JSON) -> Request:
    """These very bytes."""
    return Request(body.encode() if isinstance(body, str) else body, content_type)


def csv(*lines: str) -> Request:
    return sent("".join(f"{line}\n" for line in lines), CSV)


def split(columns: list[str] | None, *rows: Any, **members: Any) -> dict[str, Any]:
    named = {} if columns is None else {"columns": columns}
    return {"dataframe_split": {**named, "data": list(rows), **members}}


def records(*rows: Any) -> dict[str, Any]:
    return {"dataframe_records": list(rows)}


def requests(of: Mapping[str, Any]) -> dict[str, Request]:
    """Of each name the request; whatever is none yet is the document of its body."""
    return {
        name: each if isinstance(each, Request) else sent(json.dumps(each, ensure_ascii=False))
        for name, each in of.items()
    }
