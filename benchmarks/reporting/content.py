"""What the report holds, in order: the answer first."""

from collections.abc import Callable, Sequence
from typing import Any

from matplotlib.figure import Figure

from benchmarks.analysis.capacity import host
from benchmarks.analysis.cells import Cells
from benchmarks.analysis.claims import claims
from benchmarks.markdown import disturbed, machine
from benchmarks.reporting import answer, latency_figures, memory_figures, tables, threats, throughput_figures
from benchmarks.reporting.document import Block, Bullets, Drawing, Heading, Paragraph, Table
from benchmarks.reporting.style import svg
from benchmarks.reporting.wording import blocks_text

Draw = Callable[[Cells], Figure | None]
Part = tuple[str, Draw, str]
# Of several series, each of what another lacks.
Merged = tuple[str, Callable[[Sequence[Cells]], Figure | None], str]
Tabled = Callable[[Cells], Table]
# The name of the file, how it is drawn, what it shows.
SCALING: Merged = (
    "scaling", throughput_figures.scaling,
    "Throughput by workers, medians with 95 % intervals where there are several runs. Dashed: as many times one worker "
    "as there are cores for.",
)  # fmt: skip
GAINS: Merged = (
    "gains",
    throughput_figures.gain,
    "What threads and processes bring by kind of request, with 95 % intervals where there are several runs.",
)
COST: Part = ("cost", throughput_figures.cost, "What one request costs by technique: the text model, one worker.")
LATENCY: Part = (
    "latency", latency_figures.latency,
    "Latency against throughput under Poisson arrivals, counted from the moment a request was due: the text model, one "
    "worker a core.",
)  # fmt: skip
SPECTRUM: Part = (
    "spectrum",
    latency_figures.spectrum,
    "Latency by percentile under Poisson arrivals, all repetitions: the text model, one worker a core.",
)
GOODPUT: Part = (
    "goodput", latency_figures.goodput,
    "What is answered of what is offered, up to overload: the text model, one worker a core.",
)  # fmt: skip
BYSTANDER: Part = (
    "bystander", latency_figures.bystander,
    "p99 of a request that needs no model, beside a full load of those that do: the text model, one worker.",
)  # fmt: skip
MEMORY: Part = (
    "memory",
    memory_figures.shared_and_private,
    "Memory by workers: what processes share, and what they do not.",
)


def blocks(
    bench: Cells | None, full: Cells | None, claimed: Cells | None = None, experiments: dict[str, Any] | None = None
) -> list[Block]:
    """Of the series of `make bench`, `make bench-full` and `make bench-claims`; some may be missing, not all."""
    series = [cells for cells in (bench, full, claimed) if cells is not None]
    # None has all that the report shows, and what ran once has no interval.
    broad_first = [cells for cells in (full, claimed, bench) if cells is not None]
    return [
        Heading("Processes or threads?", 1),
        Paragraph(answer.answer(bench, broad_first)),
        Heading("How many to run"),
        Paragraph(answer.how_many(broad_first)),
        Heading("What was measured"),
        *(Paragraph(described(cells)) for cells in series),
        *(headline(bench) if bench is not None else []),
        *throughput(broad_first),
        *latency(broad_first),
        *memory(broad_first),
        *said(claimed or broad_first[0], experiments),
        *capacity(broad_first),
        *every_cell(series),
        *void(series),
        Heading("Threats to validity"),
        Bullets(threats.threats(series)),
    ]


def described(cells: Cells) -> str:
    measured = sum(bool(cells.runs(name)) for name in cells.scenarios)
    disturbances = f" {disturbed(cells.used)}" if cells.used else ""
    bootstrapped = ", and bootstrapped over them" if cells.most_runs > 1 else ", of which one has no interval"
    return (
        f"`{cells.name}`: {measured} of {len(cells.scenarios)} cells, {blocks_text(cells)} each; "
        f"{len(cells.void)} void. Ratios are taken within blocks{bootstrapped}.{disturbances} {machine([cells.head])}"
    )


def headline(bench: Cells) -> list[Block]:
    return [Heading("The ratios of `make bench`"), tables.headline_table(bench)]


def throughput(series: Sequence[Cells]) -> list[Block]:
    return [
        Heading("Throughput by workers"),
        *merged(series, SCALING, tables.speedup_table, "No two numbers of workers were measured on one model."),
        Heading("For which models"),
        *merged(series, GAINS, tables.gain_table, "Threads and processes were not measured on one model."),
        Heading("What a request costs"),
        *drawn(series, COST),
    ]


def latency(series: Sequence[Cells]) -> list[Block]:
    return [
        Heading("Latency"),
        *drawn(series, LATENCY, tables.search_table, "The highest rate within the objective was not measured."),
        *drawn(series, SPECTRUM),
        *drawn(series, BYSTANDER),
        Heading("Overload"),
        *drawn(series, GOODPUT),
    ]


def memory(series: Sequence[Cells]) -> list[Block]:
    return [Heading("Memory"), *drawn(series, MEMORY)]


def said(cells: Cells, experiments: dict[str, Any] | None) -> list[Block]:
    found = claims(cells, experiments)
    remarks = " ".join(f"“{claim.said}”: {claim.remark}" for claim in found if claim.remark)
    opening = (
        "Upheld or refuted only where the whole interval is on one side of what is asked; what is said in general is "
        f"refuted by one case. {remarks}"
    )
    return [Heading("What is said elsewhere"), Paragraph(opening), tables.claim_table(found)]


def capacity(series: Sequence[Cells]) -> list[Block]:
    """Of the cell of the service as it is deployed that was measured most often."""
    names = [(cells, name) for cells in series for name in ("text-default", "processes-microbatch")]
    names.sort(key=lambda each: len(each[0].runs(each[1])), reverse=True)
    title = Heading("How many hosts")
    for cells, name in names:
        if name in cells.scenarios and (kind := host(cells, name)) is not None:
            return [title, Paragraph(tables.capacity_text(kind, cells.name)), tables.capacity_table(kind)]
    return [title, Paragraph("The service as it is deployed was not measured.")]


def every_cell(series: Sequence[Cells]) -> list[Block]:
    found: list[Block] = [Heading("Every cell")]
    for cells in series:
        found += [Paragraph(f"`{cells.name}`:"), *filled(tables.cell_table(cells), "None was measured.")]
    return found


def void(series: Sequence[Cells]) -> list[Block]:
    found: list[Block] = [Heading("Void runs")]
    for cells in series:
        found += [Paragraph(f"`{cells.name}`:"), *filled(tables.void_table(cells), "None.")]
    return found


def drawn(series: Sequence[Cells], part: Part, tabled: Tabled | None = None, otherwise: str = "") -> list[Block]:
    """The figure, and the table of what it shows, of the first series that has it."""
    name, draw, caption = part
    for cells in series:
        if (figure := draw(cells)) is not None:
            said = f"{caption} Series `{cells.name}`, {blocks_text(cells)} each."
            found: list[Block] = [Drawing(name, said, svg(figure))]
            return [*found, *filled(tabled(cells), otherwise)] if tabled else found
    found = [Paragraph(f"Not measured, and left out: the figure `{name}`. {caption}")]
    if not tabled:
        return found
    made = [tabled(cells) for cells in series]
    return [*found, *filled(next((table for table in made if table.rows), made[0]), otherwise)]


def merged(
    series: Sequence[Cells], part: Merged, tabled: Callable[[Sequence[Cells]], Table], otherwise: str
) -> list[Block]:
    """The figure and the table of all series; each ratio of the first that has it with an interval."""
    name, draw, caption = part
    figure = draw(series)
    shown: Block = Paragraph(f"Not measured, and left out: the figure `{name}`. {caption}")
    if figure is not None:
        shown = Drawing(name, caption, svg(figure))
    return [shown, *filled(tabled(series), otherwise)]


def filled(table: Table, otherwise: str) -> list[Block]:
    return [table] if table.rows else [Paragraph(otherwise)]
