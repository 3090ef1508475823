"""The same instances for all, each as the peer takes it, with what the artifact's own estimator answers."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.failures import RequestsFailed, WrongAnswer
from benchmarks.http_client import Reply
from benchmarks.load_generator.answers import difference
from benchmarks.load_generator.forms import FORMS, FormName
from benchmarks.markdown import Row
from benchmarks.peers.contract import Peer
from benchmarks.questions import CheckedPlan
from benchmarks.subjects import Subject
from benchmarks.workload import known_answers, write_bodies

# Asked before the load, one after the other; under it all answers are checked.
KNOWN = 32


@dataclass(frozen=True, slots=True)
class Asked:
    path: str
    body: bytes
    expected: Any
    form: FormName = "json"

    @property
    def headers(self) -> Mapping[str, str]:
        return FORMS[self.form].headers(self.body)

    def check(self, reply: Reply) -> None:
        """Raises RequestsFailed or WrongAnswer."""
        if reply.status != 200:
            raise RequestsFailed(f"a known instance was answered {reply.status}: {reply.body[:200]!r}")
        try:
            found = difference(self.expected, FORMS[self.form].document(reply.body))
        except ValueError:
            found = f"no {FORMS[self.form].title}"
        if found is not None:
            raise WrongAnswer(f"{self.body[:200]!r} was answered {reply.body[:300]!r}, which has {found}")


def questions(peer: Peer, subject: Subject) -> list[Asked]:
    """The label alone is asked of all: some of them give no more."""
    known = known_answers(subject.artifact, subject.metadata, subject.bodies)
    instances = [next(iter(json.loads(each.body).values())) for each in known]
    return [
        Asked(peer.path, peer.body(instance), peer.answer(each.value))
        for instance, each in zip(instances, known, strict=True)
    ]


def plan_of(asked: Sequence[Asked], conditions: Row, folder: Path) -> CheckedPlan:
    """Of questions of one form."""
    form = asked[0].form
    return CheckedPlan(
        bodies=write_bodies([FORMS[form].line(each.body) for each in asked], folder / "bodies"),
        known=asked[:KNOWN],
        warm_up_seconds=conditions["warm_up_seconds"],
        window_seconds=conditions["window_seconds"],
        expected=write_bodies([json.dumps(each.expected).encode() for each in asked], folder / "expected.jsonl"),
        form=form,
    )
