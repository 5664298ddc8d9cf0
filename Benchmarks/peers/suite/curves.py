"""The cost curves, from what was measured."""

from __future__ import annotations

from pathlib import Path

from suite.goals import number, time
from suite.results import P50, P99, RATE, Results
from suite.svg import Plot, Series, draw


def write(results: Results, directory: Path) -> list[tuple[str, str]]:
    """Writes the pictures for which there are figures. Returns their titles and names."""
    written: list[tuple[str, str]] = []
    for name, plot in (
        ("mutation-by-state.svg", mutation(results)),
        ("throughput-by-actors.svg", throughput(results)),
        ("recovery-by-state.svg", recovery(results)),
        ("calls-by-payload.svg", payload(results)),
    ):
        if any(len(series.points) > 1 for series in plot.series):
            (directory / name).write_text(draw(plot), encoding="utf-8")
            written.append((plot.title, name))
    return written


def points(results: Results, prefix: str, metric: str = P50) -> list[tuple[float, float]]:
    """Values by the number that ends a line's name."""
    found: list[tuple[float, float]] = []
    for name in results.lines:
        end = name.removeprefix(prefix)
        value = results.value(name, metric)
        if name.startswith(prefix) and end.isdigit() and value is not None:
            found.append((float(end), value))
    return sorted(found)


def mutation(results: Results) -> Plot:
    return Plot(
        "A change of one entry, by the number of entries",
        "p50 of one change at a time to a random entry, beside raw LMDB that changes as much in one transaction",
        "entries in the actor's dictionary", "one change",
        [
            Series(".disk", points(results, "durable.state.disk.")),
            Series(".process", points(results, "durable.state.process.")),
            Series("raw LMDB, flushed", points(results, "floor.state.disk."), True),
            Series("raw LMDB, not flushed", points(results, "floor.state.process."), True),
        ],
        count, time,
    )  # fmt: skip


def throughput(results: Results) -> Plot:
    far = [point for point in points(results, "durable.actorsfar.", RATE) if point[0] > 1]
    return Plot(
        "Durable changes a second, by the number of actors",
        "named actors that share a process, .disk, 1,000 calls in flight, each to an actor picked at random",
        "actors", "changes per second",
        [Series("DurableActors", points(results, "durable.actors.", RATE) + far)],
        count, number,
    )  # fmt: skip


def recovery(results: Results) -> Plot:
    return Plot(
        "kill -9 to the next answer, by what the worker had in memory",
        "state that the killed worker had read (.process), beside the kernel taking back as much from a bare process",
        "MiB of state", "kill -9 to answer",
        [
            Series("p99", points(results, "durable.resident.state.", P99)),
            Series("p50", points(results, "durable.resident.state.")),
            Series("end of file, p50", points(results, "floor.resident.state."), True),
        ],
        lambda value: f"{value:,.0f}", time, zero=0.25,
    )  # fmt: skip


def payload(results: Results) -> Plot:
    return Plot(
        "A call, by the size of its argument or result",
        "p50 of one call at a time, nothing durable, beside a copy of as many bytes in memory",
        "bytes", "one call",
        [
            Series("argument", points(results, "durable.argument.")),
            Series("result", points(results, "durable.result.")),
            Series("copy in memory", points(results, "floor.copy."), True),
        ],
        size, time,
    )  # fmt: skip


def count(value: float) -> str:
    return f"{value / 1e6:,.0f} million" if value >= 1e6 else f"{value:,.0f}"


def size(value: float) -> str:
    for unit, factor in (("MiB", 1 << 20), ("KiB", 1 << 10)):
        if value >= factor:
            return f"{value / factor:.0f} {unit}"
    return f"{value:.0f} B"
