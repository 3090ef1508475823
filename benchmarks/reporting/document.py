"""What a report is made of, and its two forms: Markdown beside its figures, and one HTML page that holds them."""

import base64
import html
import re
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.markdown import table

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 64rem; margin: 2rem auto; padding: 0 1rem; color: #1a1a1a; }
h1, h2 { line-height: 1.2; margin-top: 2.5rem; }
p:first-of-type { font-size: 1.1rem; }
figure { margin: 1.5rem 0; }
figure img { width: 100%; height: auto; }
figcaption { color: #555; font-size: 0.9rem; }
div.table { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.85rem; font-variant-numeric: tabular-nums; }
th, td { border-bottom: 1px solid #ddd; padding: 0.3rem 0.8rem 0.3rem 0; text-align: left; vertical-align: top; }
code { font-size: 0.9em; background: #f3f3f3; padding: 0 0.2em; }
"""


@dataclass(frozen=True, slots=True)
class Heading:
    text: str
    level: int = 2


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Text in which `code` and **strong** are marked."""

    text: str


@dataclass(frozen=True, slots=True)
class Bullets:
    items: Sequence[str]


@dataclass(frozen=True, slots=True)
class Table:
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Drawing:
    """A figure by its file's name, without suffix; `caption` says what it shows, also to those who cannot see it."""

    name: str
    caption: str
    svg: str


Block = Heading | Paragraph | Bullets | Table | Drawing


def to_markdown(blocks: Sequence[Block], figures: str = "figures") -> str:
    """Figures are named as files in a folder beside the text."""
    return "\n\n".join(markdown_of(block, figures) for block in blocks) + "\n"


def markdown_of(block: Block, figures: str) -> str:
    match block:
        case Heading():
            return f"{'#' * block.level} {block.text}"
        case Paragraph():
            return block.text
        case Bullets():
            return "\n".join(f"- {item}" for item in block.items)
        case Table():
            return "\n".join(table(block.head, block.rows))
        case Drawing():
            return f"![{block.caption}]({figures}/{block.name}.svg)\n\n*{block.caption}*"


def to_html(blocks: Sequence[Block]) -> str:
    """One file that needs no other: figures are in it, and it names no address."""
    title = next(block.text for block in blocks if isinstance(block, Heading))
    body = "\n".join(html_of(block) for block in blocks)
    head = f'<meta charset="utf-8">\n<meta name="viewport" content="width=device-width">\n<title>{title}</title>'
    opening = f'<!doctype html>\n<html lang="en">\n<head>\n{head}\n<style>{STYLE}</style>\n</head>'
    return f"{opening}\n<body>\n{body}\n</body>\n</html>\n"


def html_of(block: Block) -> str:
    match block:
        case Heading():
            return f"<h{block.level}>{inline(block.text)}</h{block.level}>"
        case Paragraph():
            return f"<p>{inline(block.text)}</p>"
        case Bullets():
            return f"<ul>{''.join(f'<li>{inline(item)}</li>' for item in block.items)}</ul>"
        case Table():
            head = "".join(f"<th>{inline(cell)}</th>" for cell in block.head)
            rows = "\n".join(f"<tr>{''.join(f'<td>{inline(cell)}</td>' for cell in row)}</tr>" for row in block.rows)
            return (
                f'<div class="table"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table></div>'
            )
        case Drawing():
            data = base64.b64encode(block.svg.encode()).decode()
            caption = inline(block.caption)
            image = f'<img src="data:image/svg+xml;base64,{data}" alt="{html.escape(block.caption)}">'
            return f"<figure>\n{image}\n<figcaption>{caption}</figcaption>\n</figure>"


def inline(text: str) -> str:
    escaped = html.escape(text, quote=False)
    escaped = re.sub(r"`([^`]+)`", r"<code>\1</code>", escaped)
    return re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", escaped)
