"""Sampled stacks as files: collapsed, as other programs read them, and as a flame graph that any browser shows."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape

from benchmarks.account.measuring import EVENT_LOOP
from benchmarks.account.stages import STAGES, stage_of

ROOT_NAME = "one request"
WIDTH = 1400.0
ROW_HEIGHT = 18
LETTER_WIDTH = 6.6
LEAST_WIDTH = 0.5
LEGEND_COLUMNS = 5
# One for each of STAGES.
COLOURS = (
    "#c7c7c7", "#9ecae1", "#fdd0a2", "#c7e9c0", "#dadaeb", "#fb6a4a", "#a1d99b", "#6baed6", "#fdae6b", "#e7cb94",
)  # fmt: skip


@dataclass(slots=True)
class Frame:
    """A function below those that called it: its samples, with those of what it called."""

    name: str
    stage: str
    count: int = 0
    below: dict[str, "Frame"] = field(default_factory=dict)


def collapsed(stacks: Counter[str]) -> str:
    """A line a stack: its functions from the outermost, joined by semicolons, and how often it was noted."""
    return "".join(f"{';'.join(outermost_first(stack))} {count}\n" for stack, count in sorted(stacks.items()))


def outermost_first(stack: str) -> list[str]:
    return stack.split()[::-1] or [EVENT_LOOP]


def tree(stacks: Counter[str]) -> Frame:
    root = Frame(ROOT_NAME, STAGES[0])
    for stack, count in stacks.items():
        frame = root
        frame.count += count
        names = outermost_first(stack)
        for depth, name in enumerate(names):
            # What a sample that ends here would be.
            stage = stage_of(reversed(names[: depth + 1]))
            frame = frame.below.setdefault(name, Frame(name, stage))
            frame.count += count
    return root


def svg(stacks: Counter[str], *, microseconds: float, title: str) -> str:
    """One picture without script or anything from outside; `microseconds` are those of one request."""
    root = tree(stacks)
    scale = microseconds / root.count
    top = ROW_HEIGHT * (2 + -(-len(STAGES) // LEGEND_COLUMNS))
    frames = list(placed(root))
    boxes = [box(frame, x, top + depth * ROW_HEIGHT, width, scale, root.count) for frame, x, depth, width in frames]
    height = top + ROW_HEIGHT * (1 + max(depth for _, _, depth, _ in frames))
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH:.0f}" height="{height}" font-family="monospace" '
        'font-size="11">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="4" y="{ROW_HEIGHT - 4}">{escape(title)}</text>',
        *legend(),
        *boxes,
        "</svg>\n",
    ])  # fmt: skip


def placed(
    frame: Frame, x: float = 0.0, depth: int = 0, width: float = WIDTH
) -> Iterator[tuple[Frame, float, int, float]]:
    """Each frame that is wide enough to be seen, below the one that called it: with where it lies, and its width."""
    yield frame, x, depth, width
    for each in sorted(frame.below.values(), key=lambda below: below.name):
        part = width * each.count / frame.count
        if part >= LEAST_WIDTH:
            yield from placed(each, x, depth + 1, part)
        x += part


def box(frame: Frame, x: float, y: float, width: float, scale: float, total: int) -> str:
    told = f"{frame.name}: {frame.count * scale:.1f} µs, {frame.count / total:.1%} ({frame.stage})"
    label = label_of(frame.name, int(width / LETTER_WIDTH) - 1)
    return (
        f'<g><title>{escape(told)}</title><rect x="{x:.2f}" y="{y:.0f}" width="{width:.2f}" height="{ROW_HEIGHT - 1}" '
        f'fill="{COLOURS[STAGES.index(frame.stage)]}"/><text x="{x + 2:.2f}" y="{y + ROW_HEIGHT - 5:.0f}">'
        f"{escape(label)}</text></g>"
    )


def label_of(name: str, letters: int) -> str:
    """As much of a function's name as fits: with its path, its file, or alone."""
    forms = (name, name.rpartition("/")[2], name.rpartition(":")[2])
    return next((form for form in forms if len(form) <= letters), "")


def legend() -> Iterator[str]:
    for number, (stage, colour) in enumerate(zip(STAGES, COLOURS, strict=True)):
        x = 4 + number % LEGEND_COLUMNS * WIDTH / LEGEND_COLUMNS
        y = ROW_HEIGHT * (1 + number // LEGEND_COLUMNS)
        yield (
            f'<rect x="{x:.0f}" y="{y}" width="12" height="12" fill="{colour}"/>'
            f'<text x="{x + 16:.0f}" y="{y + 10}">{escape(stage)}</text>'
        )
