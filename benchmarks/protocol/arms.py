"""Which servers of the peers' series speak the Open Inference Protocol, and what each is asked in it. Data only."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass

from benchmarks.load_generator.forms import FormName
from benchmarks.peers.catalogue import PEERS
from benchmarks.peers.contract import Arm, arms_of
from benchmarks.subjects import SubjectName

FORKCAST, MLSERVER = "forkcast", "mlserver"
CONNECTIONS = 32


@dataclass(frozen=True, slots=True)
class Workload:
    """What is asked: `rows` of a model a request; `forms` are those that each server takes."""

    model: SubjectName
    rows: int
    forms: Mapping[str, tuple[FormName, ...]]


@dataclass(frozen=True, slots=True)
class ProtocolArm(Arm):
    """A configuration of a server, as in the peers' series, that is asked one thing in one form."""

    model: SubjectName
    rows: int
    form: FormName


WORKLOADS = (
    Workload("text", 1, {FORKCAST: ("json",), MLSERVER: ("json",)}),
    # Over HTTP, MLServer takes tensors in JSON alone.
    Workload("linear", 64, {FORKCAST: ("binary", "json"), MLSERVER: ("json",)}),
)


def arms_of_workload(workload: Workload) -> Iterator[ProtocolArm]:
    asked = [(peer, form) for peer, forms in workload.forms.items() for form in forms]
    for peer, form in asked:
        for arm in arms_of(PEERS[peer]):
            known = asdict(arm) | {"name": name_of(workload.model, form, arm.name)}
            yield ProtocolArm(**known, model=workload.model, rows=workload.rows, form=form)


def name_of(model: str, form: FormName, configuration: str) -> str:
    """`linear-binary-forkcast-batching`; the configuration is named as in the peers' series."""
    return f"{model}-{form}-{configuration}"


ARMS = tuple(arm for workload in WORKLOADS for arm in arms_of_workload(workload))
