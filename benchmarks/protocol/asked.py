"""What is asked in the Open Inference Protocol, with the labels that the artifact's own estimator answers."""

import json
from collections.abc import Callable

from benchmarks.load_generator.forms import FormName
from benchmarks.peers.asked import Asked
from benchmarks.peers.mlserver_impl import MLServer
from benchmarks.peers.open_inference import answer, binary_body, json_body
from benchmarks.protocol.arms import MLSERVER, ProtocolArm
from benchmarks.questions import batches
from benchmarks.subjects import Subject
from benchmarks.workload import known_answers

BODIES: dict[FormName, Callable[..., bytes]] = {"json": json_body, "binary": binary_body}


def questions(arm: ProtocolArm, subject: Subject) -> list[Asked]:
    """Each has an id of its own, which its answer bears: answers that are mixed up are found."""
    known = known_answers(subject.artifact, subject.metadata, subject.bodies)
    instances = [next(iter(json.loads(each.body).values())) for each in known]
    return [
        Asked(
            path_of(arm, subject),
            BODIES[arm.form]([instances[index] for index in batch], id=str(number)),
            {"id": str(number), **answer([known[index].value for index in batch])},
            arm.form,
        )
        for number, batch in enumerate(batches(subject, arm.rows))
    ]


def path_of(arm: ProtocolArm, subject: Subject) -> str:
    """MLServer's configuration names the model; Forkcast's artifact does."""
    return MLServer.path if arm.peer == MLSERVER else f"/v2/models/{subject.metadata.name}/infer"
