"""The closed loop beside wrk's, on a model that is slow enough for neither to be the limit."""

from pathlib import Path
from statistics import median

from benchmarks import wrk
from benchmarks.engine.estimators import ANSWER, Computes, saved
from benchmarks.engine.figures import Figure
from benchmarks.intervals import paired_ratio
from benchmarks.load_generator.calibration.questions import asking
from benchmarks.markdown import ratio_text
from benchmarks.server import serving

MODEL_SECONDS = 0.002
CONNECTIONS = 16
MOST_APART = 0.05
ROUNDS = 5


def measure(folder: Path, seconds: float) -> list[Figure]:
    """Windows of one and of the other by turns, on one server."""
    artifact = saved(Computes(MODEL_SECONDS).fit(), folder / "computes.joblib")
    with serving(workers=1, execution="microbatch", model_uri=artifact, folder=folder) as server:
        asked = asking(server.port, folder, answer={"prediction": ANSWER}, seconds=seconds)
        asked.closed(CONNECTIONS)
        ours, others = [], []
        for _ in range(ROUNDS):
            ours.append(asked.closed(CONNECTIONS).requests_per_second)
            window = wrk.measure(
                port=server.port, bodies=asked.bodies, seconds=round(seconds), connections=CONNECTIONS
            )  # fmt: skip
            others.append(window.load.requests_per_second)
    return [
        Figure(
            f"closed loop, {CONNECTIONS} connections, a model of {MODEL_SECONDS * 1e3:.0f} ms: requests/s beside wrk's",
            f"within {MOST_APART:.0%}",
            f"{ratio_text(paired_ratio(ours, others))}; median {median(ours):,.1f} and {median(others):,.1f}",
            abs(median(ours) / median(others) - 1) <= MOST_APART,
        )
    ]  # fmt: skip
