"""Horizontal bar charts as SVG, light or dark as the reader's system is. Pure functions of their bars."""

import dataclasses
import html
import math

WIDTH = 860
LABEL_WIDTH = 210
VALUE_WIDTH = 190
ROW_HEIGHT = 24
BAR_HEIGHT = 14
HEAD_HEIGHT = 52
FOOT_HEIGHT = 28
PLOT_WIDTH = WIDTH - LABEL_WIDTH - VALUE_WIDTH

STYLE = """
.page { fill: #ffffff } text { font: 13px system-ui, sans-serif; fill: #24292f } .title { font-weight: 600; font-size: 15px }
.quiet { fill: #57606a; font-size: 12px } .good { fill: #2f7dd1 } .bad { fill: #d1652f } .other { fill: #a9b1ba }
.grid { stroke: #d8dee4 } .bar { stroke: #24292f; stroke-width: 1.5; stroke-dasharray: 5 3 }
@media (prefers-color-scheme: dark) {
.page { fill: #0d1117 } text { fill: #e6edf3 } .quiet { fill: #9198a1 } .good { fill: #4c9bef } .bad { fill: #e8824e }
.other { fill: #6e7681 } .grid { stroke: #2b323b } .bar { stroke: #e6edf3 } }
"""


@dataclasses.dataclass
class Bar:
    name: str
    value: float
    text: str
    #: Met, or ours: the colour.
    is_good: bool


def drawing(title: str, note: str, bars, x_of, marks, classes, bar_at=None) -> str:
    """A chart; `x_of` maps a value to 0…1 of the plot's width, `marks` are pairs of value and text below it."""
    bottom = HEAD_HEIGHT + ROW_HEIGHT * len(bars)
    height = bottom + FOOT_HEIGHT
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img">',
        f"<title>{html.escape(title)}</title><style>{STYLE}</style>",
        f'<rect class="page" width="{WIDTH}" height="{height}"/>',
        f'<text class="title" x="12" y="22">{html.escape(title)}</text>',
        f'<text class="quiet" x="12" y="41">{html.escape(note)}</text>',
    ]
    for value, text in marks:
        x = LABEL_WIDTH + PLOT_WIDTH * x_of(value)
        parts.append(f'<line class="grid" x1="{x:.1f}" y1="{HEAD_HEIGHT}" x2="{x:.1f}" y2="{bottom}"/>')
        parts.append(f'<text class="quiet" x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{html.escape(text)}</text>')
    for index, bar in enumerate(bars):
        top = HEAD_HEIGHT + ROW_HEIGHT * index
        width = max(1.0, PLOT_WIDTH * x_of(bar.value))
        y = top + ROW_HEIGHT - 7
        parts.append(f'<text x="{LABEL_WIDTH - 10}" y="{y}" text-anchor="end">{html.escape(bar.name)}</text>')
        parts.append(
            f'<rect class="{classes[0] if bar.is_good else classes[1]}" x="{LABEL_WIDTH}" y="{top + (ROW_HEIGHT - BAR_HEIGHT) / 2}" '
            f'width="{width:.1f}" height="{BAR_HEIGHT}" rx="2"/>')
        parts.append(f'<text class="quiet" x="{LABEL_WIDTH + PLOT_WIDTH + 10}" y="{y}">{html.escape(bar.text)}</text>')
    if bar_at is not None:
        x = LABEL_WIDTH + PLOT_WIDTH * x_of(bar_at)
        parts.append(f'<line class="bar" x1="{x:.1f}" y1="{HEAD_HEIGHT - 4}" x2="{x:.1f}" y2="{bottom + 4}"/>')
    return "\n".join(parts + ["</svg>", ""])


def bars(found) -> str:
    """How far beyond its bar each row is: 1 is the bar, more is better. Cut off at four times."""
    most = 4
    return drawing(
        "Each row against its bar", "Dashed: the bar. Right of it, as many times better as asked; orange: not reached.",
        found, lambda value: min(value, most) / most, [(0, "0"), (1, "bar"), (2, "2 ×"), (3, "3 ×"), (4, "4 × and more")],
        ("good", "bad"), bar_at=1)


def costs(found) -> str:
    """Times over some powers of ten, on a logarithmic axis."""
    found = sorted(found, key=lambda bar: bar.value)
    values = [bar.value for bar in found] or [1]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    high = max(high, low + 1)
    marks = [(10.0**power, f"{10.0 ** power:g} µs") for power in range(low, high + 1)]
    return drawing(
        "What a heartbeat costs: CPU of the server and Redis together, µs a request",
        "Logarithmic. 64 connections, one core; Redis confirms it where not said otherwise.",
        found, lambda value: max(0.0, (math.log10(value) - low) / (high - low)), marks, ("good", "other"))
