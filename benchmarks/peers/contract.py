"""What a peer says of itself: how it is started, what it is asked, and what a right answer holds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

from app.settings import ROOT

Instance = str | list[Any]
ENVIRONMENTS = ROOT / "var/peers"
APPS = Path(__file__).with_name("apps")
# The same for all that wait for a batch: none fills as many connections as are asked at once at most.
BATCH_ROWS = 64
BATCH_SECONDS = 0.01
# As Forkcast does for its own workers: one process a core is all the parallelism there is.
ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "BLIS", "NUMEXPR")}


@dataclass(frozen=True, slots=True)
class Place:
    """With what a server is started; `folder` is its own, to write into and to be started in."""

    artifact: Path
    folder: Path
    port: int
    cores: int
    batching: bool


@dataclass(frozen=True, slots=True)
class Launch:
    """`environment` comes on top of the one that is inherited; it is started in the place's folder, or in another."""

    command: Sequence[str]
    environment: Mapping[str, str]
    folder: Path | None = None


@dataclass(frozen=True, slots=True)
class Arm:
    """One configuration of a peer, as it stands in a result."""

    name: str
    title: str
    peer: str
    batching: bool
    configured: str
    documentation: str


class Peer(Protocol):
    """
    `configured` says in words how it is started, by whether it predicts several requests in one call; what it cannot
    is not there. `documentation` is what that follows.

    `launch` may write files into the place's folder, and raises NotMeasurable where the peer is not installed. `answer`
    is the JSON that a right answer holds: more keys are no difference.
    """

    name: str
    title: str
    path: str
    documentation: str
    configured: ClassVar[Mapping[bool, str]]

    def launch(self, place: Place) -> Launch: ...

    def body(self, instance: Instance) -> bytes: ...

    def answer(self, label: Any) -> Any: ...


def arms_of(peer: Peer) -> list[Arm]:
    return [
        Arm(
            name=f"{peer.name}-batching" if batching else peer.name,
            title=peer.title,
            peer=peer.name,
            batching=batching,
            configured=configured,
            documentation=peer.documentation,
        )
        for batching, configured in peer.configured.items()
    ]
