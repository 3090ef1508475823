"""A series of `make bench-protocol`: what is asked for beside what was measured, and all of it for PEERS.md."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from benchmarks.analysis.cells import Cells
from benchmarks.engine.figures import Figure
from benchmarks.intervals import Ratio
from benchmarks.load_generator.forms import FormName
from benchmarks.markdown import Row, figure_rows, ratio_text, table
from benchmarks.protocol.arms import CONNECTIONS, FORKCAST, MLSERVER, name_of
from benchmarks.reporting.peers_in_full import LOADS, load_row
from benchmarks.reporting.peers_table import LOAD, missing, of_load, repeated, shown
from benchmarks.reporting.wording import NOT_MEASURED, interval_text, request_kind
from benchmarks.series import Series

BENCHMARK = "protocol"
NOT_YET = "Not measured yet: `make bench-protocol` does."
FIGURES = ("what", "asked", "measured", "holds")
RATE = of_load(str(CONNECTIONS), "requests_per_second")
FORMS: dict[FormName, str] = {"json": "V2 in JSON", "binary": "V2 in bytes"}


@dataclass(frozen=True, slots=True)
class Faster:
    """Requests a second of Forkcast as it is by default, over those of MLServer in its better configuration."""

    what: str
    model: str
    form: FormName
    least: float | None

    def judge(self, cells: Cells, measured: Sequence[str]) -> Figure:
        asked = "reported" if self.least is None else f"at least {self.least:g}"
        own = name_of(self.model, self.form, f"{FORKCAST}-batching")
        others = [name_of(self.model, "json", configuration) for configuration in (MLSERVER, f"{MLSERVER}-batching")]
        other = best(cells, others, measured)
        ratio = cells.ratio(own, other, RATE) if own in measured and other else None
        if ratio is None or other is None:
            return Figure(self.what, asked, NOT_MEASURED, None if self.least is None else False)
        rates = f"{interval_text(cells.median(own, RATE))} to {interval_text(cells.median(other, RATE))} requests/s"
        how = "in batches" if cells.scenarios[other]["batching"] else "one by one"
        holds = None if self.least is None else surely(ratio) >= self.least
        return Figure(self.what, asked, f"{ratio_text(ratio)}: {rates}, MLServer {how}", holds)


REQUIREMENTS = (
    Faster("text model, one review a request, V2 in JSON", "text", "json", 6),
    Faster("logistic regression, 64 rows of 30 numbers, V2 in bytes to MLServer's in JSON", "linear", "binary", 3),
    Faster("the same, both in JSON", "linear", "json", None),
)


def render(series: Series) -> str:
    """README.md's."""
    cells = Cells(series)
    return "\n".join([conditions(series, cells), "", *asked_for(series, cells), *without(series, cells)])


def in_full(series: Series) -> str:
    """PEERS.md's."""
    cells = Cells(series)
    rows = [[asked(cells.scenarios[name]), *load_row(cells, name, str(CONNECTIONS))] for name in shown(series, cells)]
    return "\n".join([render(series), "", *table(("asked", *LOADS), rows)])


def conditions(series: Series, cells: Cells) -> str:
    models = " and ".join(f"`{name}` ({version})" for name, version in series.head["conditions"]["models"].items())
    return (
        f"{LOAD}; the models {models}. Both servers are sent the same JSON; over HTTP, MLServer takes and answers "
        f"tensors in JSON alone, where the best form for numbers is a flat list of `FP64`. Forkcast is as by default, "
        f"MLServer in the better of its two configurations; a ratio is of the same block, and what is asked for holds "
        f"where all of its interval does. Every answer's id, shape and labels are checked, in JSON and in bytes. "
        f"{repeated(series, cells, at=f'{CONNECTIONS} connections')}"
    )


def asked_for(series: Series, cells: Cells) -> list[str]:
    return table(FIGURES, figure_rows([asdict(each) for each in judged(series, cells)]))


def without(series: Series, cells: Cells) -> list[str]:
    """A line for each arm that has no row, and one before them."""
    lines = missing(series, cells, others={})
    return ["", *lines] if lines else []


def judged(series: Series, cells: Cells) -> list[Figure]:
    return [each.judge(cells, shown(series, cells)) for each in REQUIREMENTS]


def unmet(series: Series) -> list[Figure]:
    """What is asked for and does not hold, or could not be measured."""
    return [each for each in judged(series, Cells(series)) if each.holds is False]


def best(cells: Cells, names: Sequence[str], measured: Sequence[str]) -> str | None:
    """Of those that were measured, the one with the most requests a second."""
    rates = {name: interval.value for name in names if name in measured and (interval := cells.median(name, RATE))}
    return max(rates, key=lambda name: rates[name], default=None)


def surely(ratio: Ratio) -> float:
    return ratio.value if ratio.low is None else ratio.low


def asked(arm: Row) -> str:
    return f"{request_kind(arm)}, {FORMS[arm['form']]}"
