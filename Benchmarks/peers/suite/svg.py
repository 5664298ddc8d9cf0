"""Plots with two logarithmic axes, as SVG that needs nothing else."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape
from typing import Callable, Sequence

WIDTH, HEIGHT = 760, 440
LEFT, RIGHT, TOP, BOTTOM = 84, 210, 64, 62
COLOURS = ("#1f5fa8", "#c2571a", "#2e7d4f", "#8a3f97", "#7a7a7a", "#b0902a")


@dataclass(frozen=True)
class Series:
    """A line of a plot. Points at zero stand at the axis' left end."""

    name: str
    points: Sequence[tuple[float, float]]
    is_reference: bool = False
    """Of something that ours is compared with: dashed."""


@dataclass(frozen=True)
class Plot:
    """A picture."""

    title: str
    subtitle: str
    x_title: str
    y_title: str
    series: Sequence[Series]
    x_label: Callable[[float], str]
    y_label: Callable[[float], str]
    zero: float = 0.1
    """Where zero stands on the x axis."""


class Axis:
    """Maps values to pixels, by their logarithms."""

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        self.low, self.high = math.log10(low), math.log10(high)
        if self.high - self.low < 1e-9:
            self.low, self.high = self.low - 0.5, self.high + 0.5
        self.start, self.end = start, end

    def place(self, value: float) -> float:
        return self.start + (math.log10(value) - self.low) / (self.high - self.low) * (self.end - self.start)

    def decades(self) -> list[float]:
        """What is labelled: powers of ten, and 2 and 5 of each when there are few."""
        first, last = math.floor(self.low), math.ceil(self.high)
        steps = (1, 2, 5) if self.high - self.low < 2.6 else (1,)
        values = [step * 10.0**power for power in range(first, last + 1) for step in steps]
        return [value for value in values if self.low - 1e-9 <= math.log10(value) <= self.high + 1e-9]


def draw(plot: Plot) -> str:
    """The picture as text."""
    points = [(x if x > 0 else plot.zero, y) for series in plot.series for x, y in series.points if y > 0]
    if not points:
        raise ValueError(f"{plot.title}: there are no points")
    x_axis = Axis(min(x for x, _ in points), max(x for x, _ in points), LEFT + 12, WIDTH - RIGHT)
    low, high = padded(min(y for _, y in points), max(y for _, y in points))
    y_axis = Axis(low, high, HEIGHT - BOTTOM, TOP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        'font-family="Helvetica, Arial, sans-serif" font-size="12" fill="#333">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        text(20, 26, plot.title, size=16, weight="bold"),
        text(20, 46, plot.subtitle, colour="#666"),
    ]
    parts += grid(plot, x_axis, y_axis)
    ends: list[tuple[float, str, str]] = []
    for index, series in enumerate(plot.series):
        colour = COLOURS[index % len(COLOURS)]
        places = [
            (x_axis.place(x if x > 0 else plot.zero), y_axis.place(y)) for x, y in sorted(series.points) if y > 0
        ]
        if places:
            parts += curve(places, colour, series.is_reference)
            ends.append((places[-1][1], series.name, colour))
    parts += names(ends)
    return "\n".join([*parts, "</svg>"]) + "\n"


def padded(low: float, high: float) -> tuple[float, float]:
    """Room above and below, and never less than a decade: what hardly changes should look so."""
    low, high = low / 1.3, high * 1.3
    if high / low < 10:
        middle = math.sqrt(low * high)
        low, high = middle / math.sqrt(10), middle * math.sqrt(10)
    return low, high


def grid(plot: Plot, x_axis: Axis, y_axis: Axis) -> list[str]:
    parts: list[str] = []
    for value in y_axis.decades():
        place = y_axis.place(value)
        parts.append(line(LEFT, place, WIDTH - RIGHT + 8, place, "#e4e4e4"))
        parts.append(text(LEFT - 8, place + 4, plot.y_label(value), anchor="end", colour="#555"))
    # The values that were measured, not decades: there are few.
    measured = sorted({x for series in plot.series for x, _ in series.points})
    last = -1000.0
    for value in measured:
        place = x_axis.place(value if value > 0 else plot.zero)
        parts.append(line(place, HEIGHT - BOTTOM, place, HEIGHT - BOTTOM + 5, "#888"))
        if place - last >= 52:
            parts.append(text(place, HEIGHT - BOTTOM + 20, plot.x_label(value), anchor="middle", colour="#555"))
            last = place
    parts.append(line(LEFT, HEIGHT - BOTTOM, WIDTH - RIGHT + 8, HEIGHT - BOTTOM, "#888"))
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(text(middle, HEIGHT - 16, plot.x_title, anchor="middle"))
    height = (TOP + HEIGHT - BOTTOM) / 2
    parts.append(
        f'<text x="20" y="{height:.0f}" text-anchor="middle" transform="rotate(-90 20 {height:.0f})">'
        f"{escape(plot.y_title)}</text>"
    )
    return parts


def curve(places: list[tuple[float, float]], colour: str, is_dashed: bool) -> list[str]:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    dash = ' stroke-dasharray="5 4"' if is_dashed else ""
    parts = [f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>']
    return parts + [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.2" fill="{colour}"/>' for x, y in places]


def names(ends: list[tuple[float, str, str]]) -> list[str]:
    """Each line's name beside its end, moved apart where ends are close."""
    parts: list[str] = []
    lowest = TOP - 18.0
    ordered = sorted(ends)
    for index, (place, name, colour) in enumerate(ordered):
        below = len(ordered) - index - 1
        height = max(lowest + 17, min(place + 4, HEIGHT - BOTTOM - 17.0 * below))
        parts.append(text(WIDTH - RIGHT + 16, height, name, colour=colour, weight="bold"))
        lowest = height
    return parts


def line(x1: float, y1: float, x2: float, y2: float, colour: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"/>'


def text(
    x: float, y: float, words: str, size: int = 12, anchor: str = "start", colour: str = "#333", weight: str = "normal"
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="{colour}" '
        f'font-weight="{weight}">{escape(words)}</text>'
    )
