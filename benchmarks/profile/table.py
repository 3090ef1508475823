"""What a profile says, as text: the stages, predict against the rest, and the functions with the most own time."""

from collections import Counter
from math import sqrt

from benchmarks.account.measuring import noted, owner
from benchmarks.account.stages import PREDICT, STAGES, stage_of
from benchmarks.account.table import TOTAL, microseconds
from benchmarks.failures import NotMeasurable
from benchmarks.markdown import Row, percent, table

# Of each of the two tables.
FUNCTIONS = 10
# Of a normal distribution, on both sides of the middle.
WIDTH_OF_95_PERCENT = 1.96


def render(row: Row, stacks: Counter[str]) -> str:
    """Raises NotMeasurable where nothing was noted."""
    samples = stacks.total()
    if not samples:
        raise NotMeasurable("the worker used too little processor time for one sample")
    cost = microseconds([{**row, **noted(stacks)}])
    stages = [[name, f"{cost[name]:.1f}", percent(cost[name] / cost[TOTAL])] for name in (*STAGES, TOTAL)]
    within, outside = own_time(stacks)
    return "\n".join([
        opening(row, cost, samples),
        "",
        *table(["stage", "µs of processor time", "share"], stages),
        "",
        *table(["within predict", "µs of its own", "share"], functions(within, cost[TOTAL], samples)),
        "",
        *table(["outside of predict", "µs of its own", "share"], functions(outside, cost[TOTAL], samples)),
    ])  # fmt: skip


def opening(row: Row, cost: dict[str, float], samples: int) -> str:
    share = cost[PREDICT] / cost[TOTAL]
    uncertain = WIDTH_OF_95_PERCENT * sqrt(share * (1 - share) / samples)
    unsampled = row["unsampled_cpu_seconds_per_request"] * 1e6
    return (
        f"predict takes {percent(share)} of a request's processor time (95 % interval: {percent(uncertain)} to both "
        f"sides), all the rest {percent(1 - share)}.\n"
        f"{samples:,} samples over {row['requests']:,} requests, {row['mean_batch_size']:.1f} rows per predict. "
        f"Processor time of the worker: {cost[TOTAL]:.1f} µs a request while it is sampled, {unsampled:.1f} µs while "
        f"it is not, {cost[TOTAL] / unsampled:.2f} times as much; {row['requests_per_second']:,.0f} and "
        f"{row['unsampled_requests_per_second']:,.0f} requests/s."
    )


def own_time(stacks: Counter[str]) -> tuple[Counter[str], Counter[str]]:
    """Samples by the function that they were in, of those within predict and of the others."""
    within: Counter[str] = Counter()
    outside: Counter[str] = Counter()
    for stack, count in stacks.items():
        frames = stack.split()
        (within if stage_of(frames) == PREDICT else outside)[owner(frames)] += count
    return within, outside


def functions(own: Counter[str], total: float, samples: int) -> list[list[str]]:
    return [
        [name, f"{total * count / samples:.1f}", percent(count / samples)] for name, count in own.most_common(FUNCTIONS)
    ]
