"""What has been measured: figures by line, metric and round."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from typing import Callable, Iterable, Mapping

# Metrics. Durations are in microseconds, everywhere.
P50 = "p50"
P99 = "p99"
RATE = "per second"
KIB = "KiB"


def percentile(values: Iterable[float], percent: float) -> float:
    """By the nearest rank, as the Swift side does it."""
    ordered = sorted(values)
    if not ordered:
        return float("nan")
    rank = -(-len(ordered) * percent // 100)
    return ordered[max(0, min(len(ordered), int(rank)) - 1)]


@dataclass
class Line:
    """All rounds of one line of the table."""

    rounds: dict[int, dict[str, float]] = field(default_factory=dict)
    """Figures by round."""
    samples: list[float] = field(default_factory=list)
    """Single durations of all rounds, where percentiles of a round would mean little."""
    failure: str | None = None
    """Why there is nothing, or less than there should be."""

    def value(self, metric: str) -> float | None:
        """The median over the rounds; of lines with samples the percentile of all of them."""
        if self.samples and metric in (P50, P99):
            return percentile(self.samples, 50 if metric == P50 else 99)
        values = [figures[metric] for figures in self.rounds.values() if metric in figures]
        return statistics.median(values) if values else None


class Results:
    """Everything that a run has measured so far."""

    def __init__(self) -> None:
        self.lines: dict[str, Line] = {}
        self.notes: list[str] = []
        self.stages: dict[str, dict[str, object]] = {}

    def add(self, line: str, round_number: int, figures: Mapping[str, float], samples: Iterable[float] = ()) -> None:
        """Keeps what one round found for a line."""
        kept = self.lines.setdefault(line, Line())
        kept.rounds[round_number] = {name: value for name, value in figures.items() if value is not None}
        kept.samples += samples

    def fail(self, line: str, reason: str) -> None:
        """Notes why a line could not be measured."""
        kept = self.lines.setdefault(line, Line())
        kept.failure = kept.failure or reason

    def value(self, line: str, metric: str = P50) -> float | None:
        return self.lines[line].value(metric) if line in self.lines else None

    def failure(self, line: str) -> str | None:
        return self.lines[line].failure if line in self.lines else None

    def ratio(self, above: str, below: str, metric: str = P50) -> float | None:
        """How many times the one is the other: the median over the rounds that have both, or else of the medians."""
        return self._paired(above, below, metric, lambda one, other: one / other if other else float("nan"))

    def difference(self, above: str, below: str, metric: str = P50) -> float | None:
        """How much more the one is than the other, in the same way."""
        return self._paired(above, below, metric, lambda one, other: one - other)

    def _paired(self, above: str, below: str, metric: str, combine: Callable[[float, float], float]) -> float | None:
        one, other = self.lines.get(above), self.lines.get(below)
        if one is None or other is None:
            return None
        if not one.samples and not other.samples:
            shared = [
                combine(one.rounds[number][metric], other.rounds[number][metric])
                for number in sorted(one.rounds.keys() & other.rounds.keys())
                if metric in one.rounds[number] and metric in other.rounds[number]
            ]
            if shared:
                return statistics.median(shared)
        first, second = one.value(metric), other.value(metric)
        return None if first is None or second is None else combine(first, second)

    def as_json(self) -> dict[str, object]:
        """For programs."""
        lines: dict[str, object] = {}
        for name, line in self.lines.items():
            metrics = {metric for figures in line.rounds.values() for metric in figures}
            if line.samples:
                metrics |= {P50, P99}
            lines[name] = {
                "median": {metric: line.value(metric) for metric in sorted(metrics)},
                "rounds": [line.rounds[number] for number in sorted(line.rounds)],
                "samples": [round(sample, 2) for sample in line.samples],
                "failure": line.failure,
            }
        return {"lines": lines, "stages": self.stages, "notes": self.notes}
