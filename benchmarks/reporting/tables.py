"""The tables of the report."""

from collections.abc import Sequence

from benchmarks.analysis.capacity import LONGEST_WAIT, MEMORY_MARGIN, Host, Need, needs
from benchmarks.analysis.cells import (
    Cells,
    busiest_share,
    bystander_p99,
    corrected_throughput,
    cpu_seconds,
    jain_index,
    memory,
    p50,
    p99,
    saturation,
    throughput,
)  # fmt: skip
from benchmarks.analysis.gains import gains
from benchmarks.analysis.headline import headlines
from benchmarks.analysis.scaling import speedups
from benchmarks.analysis.verdicts import Claim, Evidence
from benchmarks.intervals import Ratio
from benchmarks.markdown import percent
from benchmarks.reporting.document import Table
from benchmarks.reporting.wording import (
    MEBI,
    NOT_MEASURED,
    interval_text,
    listed,
    mebibytes,
    milliseconds,
    ratio_or_not,
    request_kind,
    technique,
)  # fmt: skip


def headline_table(cells: Cells) -> Table:
    return Table(
        ["ratio", "measured (95 % interval)"], [[each.what, ratio_or_not(each.ratio)] for each in headlines(cells)]
    )


def speedup_table(series: Sequence[Cells]) -> Table:
    head = ["cell", "workers", "times one worker", "serial share (Amdahl's sigma)", "series"]
    rows = [
        [
            each.name,
            str(each.workers),
            ratio_or_not(each.ratio),
            interval_text(each.serial_share, digits=3),
            each.series,
        ]
        for each in speedups(series)
    ]
    return Table(head, rows)


def gain_table(series: Sequence[Cells]) -> Table:
    many = series[0].many
    head = ["request", f"{many} threads to one", f"{many} processes to one", "processes to threads", "series"]
    rows = [
        [each.kind, *map(ratio_or_not, (each.threads, each.processes, each.duel)), listed(each.series)]
        for each in gains(series)
    ]
    return Table(head, rows)


def cell_table(cells: Cells) -> Table:
    """Every cell that was measured, against the one that it differs from in one field."""
    head = [
        "cell", "technique", "request", "workers", "connections", "runs", "requests/s (95 % interval)", "ratio",
        "corrected", "p50", "p99", "p99 of others", "CPU per request", "memory (PSS)", "busiest worker", "Jain",
    ]  # fmt: skip
    return Table(head, [cell_row(cells, name) for name in cells.scenarios if cells.runs(name)])


def cell_row(cells: Cells, name: str) -> list[str]:
    scenario, against = cells.scenarios[name], cells.scenarios[name]["against"]
    share, jain = cells.median(name, busiest_share), cells.median(name, jain_index)
    return [
        name,
        technique(scenario),
        request_kind(scenario),
        str(scenario["workers"]),
        str(scenario["connections"]) if scenario["arrivals"] == "closed" else scenario["arrivals"],
        str(len(cells.runs(name))),
        interval_text(cells.median(name, throughput)),
        f"to {against} {ratio_or_not(cells.ratio(name, against, throughput))}" if against else "",
        interval_text(cells.median(name, corrected_throughput(cells.cores))),
        milliseconds(cells.median(name, p50)),
        milliseconds(cells.median(name, p99)),
        milliseconds(cells.median(name, bystander_p99)),
        milliseconds(cells.median(name, cpu_seconds), digits=2),
        mebibytes(cells.median(name, memory)),
        NOT_MEASURED if share is None else percent(share.value),
        NOT_MEASURED if jain is None else f"{jain.value:.3f}",
    ]


def search_table(cells: Cells) -> Table:
    """The highest rate of Poisson arrivals within the objective, by technique."""
    head = ["technique", "objective, p99", "highest rate within it", "to its closed loop", "probes"]
    rows = []
    for name, scenario in cells.scenarios.items():
        found = cells.median(name, saturation)
        if scenario["arrivals"] == "search" and found is not None:
            runs = cells.runs(name)
            closed = cells.median(scenario["capacity_of"], throughput)
            rows.append([
                technique(scenario),
                " and ".join(sorted({f"{run['objective_seconds'] * 1e3:.0f} ms" for run in runs})),
                interval_text(found, unit="requests/s"),
                NOT_MEASURED if closed is None else percent(found.value / closed.value),
                str(sum(len(run["probes"]) + len(run["confirmations"]) for run in runs)),
            ])  # fmt: skip
    return Table(head, rows)


def claim_table(claims: list[Claim]) -> Table:
    head = ["claim", "verdict", "figure", "asked", "measured (95 % interval)", "shows", "cells"]
    rows = []
    for claim in claims:
        for index, evidence in enumerate(claim.evidence or (None,)):
            first = [f"“{claim.said}”", f"**{claim.tally}**"] if not index else ["", ""]
            rows.append([*first, *evidence_cells(evidence)])
    return Table(head, rows)


def evidence_cells(evidence: Evidence | None) -> list[str]:
    if evidence is None:
        return ["", "", NOT_MEASURED, "", ""]
    measured = evidence.measured
    digits = 0 if measured is not None and measured.value.is_integer() else 2
    text = ratio_or_not(measured) if isinstance(measured, Ratio) else interval_text(measured, digits=digits)
    shows = evidence.verdict if evidence.counts else f"beside: {evidence.verdict}"
    return [evidence.what, evidence.asked, text, shows, " to ".join(evidence.cells) or "direct experiment"]


def capacity_table(kind: Host) -> Table:
    head = ["requests/s wanted", "workers", "hosts of this kind", "with one to spare", "memory a host"]
    return Table(head, [need_row(need) for need in needs(kind)])


def need_row(need: Need) -> list[str]:
    counts = (need.wanted, need.workers, need.hosts, need.hosts + 1)
    return [*(f"{count:,}" for count in counts), f"{need.memory_bytes / MEBI:,.0f} MiB"]


def capacity_text(kind: Host, series: str) -> str:
    """How the capacity table is worked out, with its numbers."""
    demand = milliseconds(kind.demand_seconds, digits=3)
    return (
        f"From `{kind.cell}` of the series `{series}`: a request takes {demand} of processor time, so {kind.workers} "
        f"workers on as many cores would have none left at {kind.ceiling:,.0f} requests/s. So that p99 of the wait "
        f"for a worker is no more than {LONGEST_WAIT:.0f} service times, they may be busy for "
        f"{percent(kind.one_queue)} of the time if they share one queue (M/M/c, Erlang's C) and for "
        f"{percent(kind.queue_each)} if each has its own (M/M/1); arrivals and service times are taken as exponential, "
        f"for their variability was not measured. Connections stick to workers: the busiest of c = {kind.workers} took "
        f"b = {percent(kind.busiest_share)} of requests, so w = (c b - 1) / (c - 1) weighs the limit of one queue "
        f"against that of the busiest worker's own (M/M/1's, divided by c b). Planned: {percent(kind.planned)}, that "
        f"is {kind.usable:,.0f} requests/s a host. An even share in the long run does not prove one queue: where each "
        f"connection must be served by its own worker, plan with {percent(kind.queue_each)}. Memory is the PSS of all "
        f"processes times {MEMORY_MARGIN}."
    )


def void_table(cells: Cells) -> Table:
    rows = [
        [run["scenario"], str(run["block"]), str(run["attempt"]), str(run["started"]), "; ".join(map(str, run["void"]))]
        for run in cells.void
    ]
    return Table(["cell", "block", "attempt", "started", "why it is void"], rows)
