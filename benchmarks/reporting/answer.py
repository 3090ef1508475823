"""The answer in words: each sentence is chosen by what the intervals show."""

from benchmarks.analysis.cells import Cells, bystander_p99, memory, p99, throughput
from benchmarks.analysis.gains import Gain, gains
from benchmarks.analysis.scaling import enough_workers, ladders
from benchmarks.markdown import ratio_text
from benchmarks.reporting.wording import counted, listed, mebibytes, milliseconds, request_kind, technique

# One thread, threads in one process, processes, and micro-batches in these.
SERVED = ("baseline", "threads", "processes", "processes-microbatch")


def answer(bench: Cells | None, full: Cells | None) -> str:
    """Throughput, then what else threads and batches bring, then what it costs."""
    sentences: list[str] = []
    if (first := bench or full) is not None:
        alone, threads, processes, microbatch = SERVED if bench is not None else text_cells(first)
        sentences += [
            duel(first, alone, threads, processes),
            aside(first, alone, threads),
            batches(first, processes, microbatch),
            cost(first, alone, processes),
        ]
    sentences.append(next(filter(None, map(other_kinds, [each for each in (full, bench) if each is not None])), ""))
    return " ".join(sentence for sentence in sentences if sentence) or "Nothing was measured."


def text_cells(cells: Cells) -> tuple[str, str, str, str]:
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
    return f"That a request that needs no model waits less beside threads is not shown: {waits}."


def batches(cells: Cells, processes: str, microbatch: str) -> str:
    ratio = cells.ratio(microbatch, processes, throughput)
    if ratio is None:
        return ""
    if ratio.shows_more:
        verdict = "brings more on top"
    else:
        verdict = "brings less" if ratio.shows_less else "brings nothing that is shown"
    return f"Predicting what waits in one call {verdict}: {ratio_text(ratio)} times those processes without."


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


def other_kinds(cells: Cells) -> str:
    return kinds([gain for gain in gains(cells) if not gain.kind.startswith("served")])


def kinds(found: list[Gain]) -> str:
    """For which requests threads answer more than one thread, and than processes."""
    threads = [(gain.kind, gain.threads) for gain in found if gain.threads is not None]
    if not threads:
        return ""
    won = [f"{kind}, {ratio.value:.2f} times" for kind, ratio in threads if ratio.shows_more]
    lost = [ratio.value for _, ratio in threads if ratio.shows_less]
    undecided = len(threads) - len(won) - len(lost)
    parts = [f"more than one thread on {len(won)}{f' ({listed(won)})' if won else ''}"]
    parts += [f"less on {len(lost)} ({min(lost):.2f} to {max(lost):.2f} times)"] if lost else []
    parts += [f"no difference is shown on {undecided}"] if undecided else []
    if len(threads) == 1:
        [(kind, ratio)] = threads
        text = f"On another kind of request, {kind}, threads to one thread: {ratio_text(ratio)}."
    else:
        text = f"Of {len(threads)} other kinds of request, threads answer {listed(parts)}."
    return f"{text} {against_processes(found)}".strip()


def against_processes(found: list[Gain]) -> str:
    duels = [(gain.kind, gain.duel) for gain in found if gain.duel is not None]
    if not duels:
        return ""
    ahead = [kind for kind, ratio in duels if ratio.shows_less]
    level = [kind for kind, ratio in duels if not ratio.shows_less and not ratio.shows_more]
    named = f"on {listed(ahead)}" if ahead else "on none"
    undecided = f"; no difference is shown on {listed(level)}" if level else ""
    return f"Threads answer more than as many processes {named}{undecided}."


def how_many(bench: Cells | None, full: Cells | None) -> str:
    """The least number of workers that no greater one exceeds, of the longest ladders."""
    cells = max((each for each in (bench, full) if each), key=lambda each: longest(each), default=None)
    if cells is None or not longest(cells):
        return "How many workers to run was not measured: that needs two numbers of workers on one model."
    said = [recommended(cells, ladder) for ladder in ladders(cells) if len(ladder) == longest(cells)]
    return " ".join(said)


def longest(cells: Cells) -> int:
    return max((len(ladder) for ladder in ladders(cells)), default=0)


def recommended(cells: Cells, ladder: list[str]) -> str:
    enough = enough_workers(cells, ladder)
    tried = [str(cells.scenarios[name]["workers"]) for name in ladder]
    scenario = cells.scenarios[ladder[0]]
    which = f"{technique(scenario)}, {request_kind(scenario)}"
    fewer = "fewer than cores" if enough < cells.cores else "more than cores"
    rule = "one a core" if enough == cells.cores else fewer
    greater = "no greater number was tried" if str(enough) == tried[-1] else "no greater number is shown to answer more"
    return f"**{which}: run {counted(enough, 'worker')}, {rule}**; of {listed(tried)}, {greater}."
