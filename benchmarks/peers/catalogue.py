"""Who is measured, and who is not and why."""

from benchmarks.peers.bentoml_impl import BentoML
from benchmarks.peers.contract import Arm, Peer, arms_of
from benchmarks.peers.forkcast_impl import Forkcast, PlainForkcast
from benchmarks.peers.litserve_impl import LitServe
from benchmarks.peers.mlflow_impl import MLflow
from benchmarks.peers.mlserver_impl import MLServer
from benchmarks.peers.ray_impl import RayServe
from benchmarks.peers.torchserve_impl import TorchServe

# Served by this checkout: no environment of theirs is installed.
OWN: tuple[Peer, ...] = (Forkcast(), PlainForkcast())
OTHERS: tuple[Peer, ...] = (LitServe(), MLServer(), BentoML(), MLflow(), RayServe(), TorchServe())
PEERS: dict[str, Peer] = {peer.name: peer for peer in (*OWN, *OTHERS)}
ARMS: tuple[Arm, ...] = tuple(arm for peer in PEERS.values() for arm in arms_of(peer))
NOT_MEASURED = {
    "TensorFlow Serving": "it serves TensorFlow's SavedModels alone, and cannot run an estimator of scikit-learn",
}
