"""The answer in words: each sentence is chosen by what the intervals show."""

from collections.abc import Sequence

from benchmarks.analysis.cells import Cells, bystander_p99, memory, p99, surest, throughput
from benchmarks.analysis.gains import Gain, gains, kind_of
from benchmarks.analysis.scaling import Ladder, enough_workers, longest_ladders
from benchmarks.intervals import Ratio
from benchmarks.markdown import ratio_text
from benchmarks.reporting.wording import counted, listed, mebibytes, milliseconds, request_kind, technique

# One thread, threads in one process, processes, and micro-batches in these.
SERVED = ("baseline", "threads", "processes", "processes-microbatch")


def answer(bench: Cells | None, series: Sequence[Cells]) -> str:
    """Throughput, then what else threads and batches bring, then what it costs; of all series, the broadest first."""
    sentences: list[str] = []
    told = ""
    if (first := asked_first(bench, series)) is not None:
        alone, threads, processes, microbatch = cells_of(first)
        told = kind_of(first.scenarios[alone]) if alone in first.scenarios else ""
        sentences += [
            duel(first, alone, threads, processes),
            aside(first, alone, threads),
            batches(first, processes, microbatch),
            batches_of_the_plain_model(series),
            cost(first, alone, processes),
        ]
    sentences.append(kinds([gain for gain in gains(series) if gain.kind != told]))
    return " ".join(sentence for sentence in sentences if sentence) or "Nothing was measured."


def asked_first(bench: Cells | None, series: Sequence[Cells]) -> Cells | None:
    """The first that repeated processes against threads, of `make bench` and the others; else the first."""
    every = [cells for cells in (bench, *series) if cells is not None]
    _, first = surest((cells.ratio(cells_of(cells)[2], cells_of(cells)[1], throughput), cells) for cells in every)
    return first or next(iter(every), None)


def cells_of(cells: Cells) -> tuple[str, str, str, str]:
    if cells.kind == "bench":
        return SERVED
    return ("text-inline", "text-threads", f"text-inline-w{cells.many}", f"text-microbatch-w{cells.many}")


def duel(cells: Cells, alone: str, threads: str, processes: str) -> str:
    """Processes against threads, as many of each, on the model that is asked first."""
    ratio = cells.ratio(processes, threads, throughput)
    if ratio is None:
        return "**Whether throughput follows processes or threads was not measured.**"
    if ratio.shows_more:
        verdict = "**Throughput follows processes, not threads.**"
    elif ratio.shows_less:
        verdict = "**Throughput follows threads, not processes.**"
    elif ratio.low is None:
        verdict = "**Measured once, which shows no difference and no lack of one.**"
    else:
        verdict = "**No difference between processes and threads is shown.**"
    scenario = cells.scenarios[processes]
    kinds = (
        (f"{scenario['workers']} processes", processes),
        (f"{scenario['workers']} threads in one process", threads),
    )
    said = [
        f"{kind}, {ratio_text(found)}"
        for kind, name in kinds
        if (found := cells.ratio(name, alone, throughput)) is not None
    ]
    return (
        f"{verdict} With {cells.cores} cores, on the {scenario['model']} model, requests/s to those of one process "
        f"with one thread: {'; '.join(said) or 'not measured'}. Processes to threads: {ratio_text(ratio)}."
    )


def aside(cells: Cells, alone: str, threads: str) -> str:
    """What a thread leaves free: the loop, for requests that need no model."""
    ratio = cells.ratio(threads, alone, bystander_p99)
    if ratio is None:
        return ""
    waits = (
        f"p99 of {milliseconds(cells.median(threads, bystander_p99))} rather than "
        f"{milliseconds(cells.median(alone, bystander_p99))}"
    )
    if ratio.shows_less:
        return f"What threads do bring: a request that needs no model waits less, {waits}."
    if ratio.shows_more:
        return f"Nor do threads spare others: a request that needs no model waits longer, {waits}."
    if ratio.low is None:
        return f"Measured once, a request that needs no model waits beside threads with a {waits}."
    return f"That a request that needs no model waits less beside threads is not shown: {waits}."


def batches(cells: Cells, processes: str, microbatch: str) -> str:
    ratio = cells.ratio(microbatch, processes, throughput)
    if ratio is None:
        return ""
    if ratio.shows_more:
        verdict = "brings more on top"
    elif ratio.shows_less:
        verdict = "brings less"
    else:
        verdict = "was measured once" if ratio.low is None else "brings nothing that is shown"
    return f"Predicting what waits in one call {verdict}, to those processes without: {ratio_text(ratio)}."


def batches_of_the_plain_model(series: Sequence[Cells]) -> str:
    ratio, _ = surest((cells.ratio("text-microbatch", "text-inline", throughput), cells) for cells in series)
    if ratio is None:
        return ""
    return (
        f"With scikit-learn's own predict of the text model, one worker answers so many times as much in batches as "
        f"without: {ratio_text(ratio)}."
    )


def cost(cells: Cells, alone: str, processes: str) -> str:
    """In memory and in latency."""
    space, late = cells.ratio(processes, alone, memory), cells.ratio(processes, alone, p99)
    if space is None or late is None:
        return ""
    count = cells.scenarios[processes]["workers"]
    bytes_of = {name: mebibytes(cells.median(name, memory)) for name in (alone, processes)}
    p99_of = {name: milliseconds(cells.median(name, p99)) for name in (alone, processes)}
    return (
        f"The price of {count} processes is memory, {bytes_of[processes]} in place of {bytes_of[alone]}; p99 under "
        f"full load is {p99_of[processes]} in place of {p99_of[alone]}, a ratio of {ratio_text(late)}."
    )


def kinds(found: Sequence[Gain]) -> str:
    """For which requests threads answer more than one thread, and than processes."""
    threads = [(gain.kind, gain.threads) for gain in found if gain.threads is not None]
    duels = [(gain.kind, gain.duel) for gain in found if gain.duel is not None]
    parts = [
        against_one_thread(sure(threads)),
        once(threads, "threads to one thread"),
        against_processes(sure(duels)),
        once(duels, "processes to threads"),
    ]
    return " ".join(part for part in parts if part)


Measured = list[tuple[str, Ratio]]


def sure(measured: Measured) -> Measured:
    return [(kind, ratio) for kind, ratio in measured if ratio.low is not None]


def once(measured: Measured, what: str) -> str:
    """What has no interval shows neither a difference nor that there is none."""
    found = sorted((ratio.value, kind) for kind, ratio in measured if ratio.low is None)
    if not found:
        return ""
    (least, lowest), (most, highest) = found[0], found[-1]
    if len(found) == 1:
        return f"Measured once, and so without an interval, {what} on {lowest}: {least:.2f}."
    return (
        f"Measured once each, and so without an interval, {what} on {len(found)} kinds of request: {least:.2f} "
        f"({lowest}) to {most:.2f} ({highest})."
    )


def against_one_thread(threads: Measured) -> str:
    if not threads:
        return ""
    if len(threads) == 1:
        [(kind, ratio)] = threads
        return f"On another kind of request, {kind}, threads to one thread: {ratio_text(ratio)}."
    won = [f"{kind}, {ratio.value:.2f} times" for kind, ratio in threads if ratio.shows_more]
    lost = [ratio.value for _, ratio in threads if ratio.shows_less]
    undecided = len(threads) - len(won) - len(lost)
    parts = [f"more than one thread on {len(won)}{f' ({listed(won)})' if won else ''}"]
    parts += [f"less on {len(lost)} ({min(lost):.2f} to {max(lost):.2f} times)"] if lost else []
    parts += [f"no difference is shown on {undecided}"] if undecided else []
    return f"Of {len(threads)} other kinds of request that were repeated, threads answer {listed(parts)}."


def against_processes(duels: Measured) -> str:
    if not duels:
        return ""
    ahead = [kind for kind, ratio in duels if ratio.shows_less]
    level = [kind for kind, ratio in duels if not ratio.shows_less and not ratio.shows_more]
    named = f"on {listed(ahead)}" if ahead else "on none"
    undecided = f"; no difference is shown on {listed(level)}" if level else ""
    repeated = f"{counted(len(duels), 'kind')} of request"
    return f"Of what was repeated ({repeated}), threads answer more than processes {named}{undecided}."


def how_many(series: Sequence[Cells]) -> str:
    """The least number of workers that no greater one exceeds, of the longest ladders."""
    found = longest_ladders(series)
    if not found:
        return "How many workers to run was not measured: that needs two numbers of workers on one model."
    if not found[0].repeated:
        return "How many workers to run is not shown: what was measured once has no interval."
    return " ".join(recommended(ladder) for ladder in found)


def recommended(ladder: Ladder) -> str:
    enough, cores = enough_workers(ladder), ladder.cells.cores
    tried = [str(count) for count in ladder.workers]
    which = f"{technique(ladder.scenario)}, {request_kind(ladder.scenario)}"
    fewer = "fewer than cores" if enough < cores else "more than cores"
    rule = "one a core" if enough == cores else fewer
    greater = "no greater number was tried" if str(enough) == tried[-1] else "no greater number is shown to answer more"
    return f"**{which}: run {counted(enough, 'worker')}, {rule}**; of {listed(tried)}, {greater}."
