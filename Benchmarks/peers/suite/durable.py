"""DurableActors, and what the machine itself can do: both are measured by `durable-benchmarks` in one process."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

from suite.context import Context, run
from suite.results import KIB, P50, P99, RATE

Report = dict[tuple[str, str], dict[str, float]]

CALL_LINES = {
    "bare exchange of 100 bytes": "floor.exchange",
    "change, .none": "durable.call",
    "read": "durable.read",
    "change, .process": "durable.process",
    "bare fdatasync of 4 KiB": "floor.fdatasync",
    "bare LMDB commit, flushed": "floor.lmdb",
    "change, .disk": "durable.disk",
    "change, .none, pipelined": "durable.pipelined.call",
    "read, pipelined": "durable.pipelined.read",
    "change, .process, pipelined": "durable.pipelined.process",
    "change, .disk, pipelined": "durable.pipelined.disk",
    "change, .none, awaited by tasks": "durable.awaited.call",
    "change, .process, awaited by tasks": "durable.awaited.process",
    "change, .disk, awaited by tasks": "durable.awaited.disk",
}

RECOVERY_LINES = {
    "kill -9 to end of file, small C program": "floor.death.small",
    "kill -9 to end of file, this program": "floor.death",
    "kill -9 to first reply, .process": "durable.recovery.process",
    "kill -9 to first reply, .disk": "durable.recovery.disk",
}

CREATE_LINES = {
    "dedicated, spare warm": "durable.create.warm",
    "shared, all at once": "durable.create.shared",
    "shared, one after the other": "durable.create.shared.each",
}

START_LINES = {
    "runtime start to first durable answer": "durable.start",
    "spawn to first durable answer, warm": "durable.spawn.warm",
    "spawn to first durable answer, cold": "durable.spawn.cold",
}


def benchmark(context: Context, name: str, *arguments: object, timeout: float = 600) -> Report:
    """Runs a benchmark of ours, and returns its figures by line and unit."""
    path = context.directory / "report.json"
    run([context.benchmarks, name, *map(str, arguments), "--json", path], timeout)
    return figures(json.loads(path.read_text()))


def on_disk(context: Context) -> list[object]:
    return ["--directory", context.directory]


def figures(report: dict[str, Any]) -> Report:
    return {
        (figure["name"], figure["unit"]): {key: value for key, value in figure["values"].items() if value is not None}
        for figure in report["figures"]
    }


def samples(context: Context) -> dict[str, list[float]]:
    """What a benchmark wrote for `--samples`: durations in microseconds by line."""
    found: dict[str, list[float]] = defaultdict(list)
    for line in (context.directory / "samples.tsv").read_text().splitlines():
        name, value = line.rsplit("\t", 1)
        found[name].append(float(value))
    return found


def add_samples(context: Context, lines: dict[str, str]) -> None:
    """Keeps the samples of these lines."""
    for name, values in samples(context).items():
        if name in lines:
            context.add(lines[name], {}, values)


def calls(context: Context, pin: str) -> None:
    """Calls that wait for no disk; those of a pinned run have names of their own."""
    suffix = {"none": "", "same": "@one", "two": "@two"}[pin]
    for line, found in call_lines(context, "--part", "memory", "--pin", pin):
        if pin != "none" or ".process" not in line:
            context.add(line + suffix, found)


def durable_calls(context: Context) -> None:
    """Changes that last, and beside them, from the same process and minute, calls that do not."""
    for line, found in call_lines(context, "--part", "all"):
        is_beside = line.endswith((".exchange", ".call", ".read"))
        context.add(f"{line}@durable" if is_beside else line, found)


def call_lines(context: Context, *arguments: object) -> list[tuple[str, dict[str, float]]]:
    count = context.choose(2000, 500)
    report = benchmark(context, "calls", "--rounds", 1, "--calls", count, *arguments, *on_disk(context))
    lines: list[tuple[str, dict[str, float]]] = []
    for (name, _), values in report.items():
        found = {RATE: 1e6 / values[P50]}
        if "pipelined" not in name and "awaited" not in name:
            found |= {P50: values[P50], P99: values[P99]}
        lines.append((CALL_LINES[name], found))
    return lines


def recovery(context: Context) -> None:
    benchmark(
        context, "recovery", "--rounds", context.choose(50, 15), "--pause", 50,
        "--samples", context.directory / "samples.tsv", *on_disk(context),
    )  # fmt: skip
    add_samples(context, RECOVERY_LINES)


def resident(context: Context) -> None:
    sizes = "0,1024" if context.quick else "0,1,16,128,1024"
    report = benchmark(
        context, "resident", "--sizes", sizes, "--held", 1024,
        "--rounds", context.choose(25, 3), "--samples", context.directory / "samples.tsv", *on_disk(context),
    )  # fmt: skip
    found = samples(context)
    for (name, _), values in report.items():
        # "1024 MiB of state" is the line resident.state.1024, "1024 MiB of its own" resident.held.1024.
        size = name.split(" ", 1)[0]
        kind = "held" if "own" in name else "state"
        context.add(f"durable.resident.{kind}.{size}", {"PSS MiB": values["PSS MiB"]}, found[f"{name}, first reply"])
        context.add(f"floor.resident.{kind}.{size}", {}, found[f"{name}, end of file"])


def create(context: Context) -> None:
    benchmark(
        context, "create", "--rounds", context.choose(3, 1), "--samples", context.directory / "samples.tsv",
        *on_disk(context),
    )  # fmt: skip
    add_samples(context, CREATE_LINES)


def start(context: Context) -> None:
    report = json.loads(
        run([
            context.durable, "bench", "start", "--rounds", str(context.choose(5, 3)), "--seed",
            str(context.seed + context.round_number), "--directory", str(context.directory), "--json",
        ])  # fmt: skip
    )
    for (name, _), values in figures(report).items():
        if name in START_LINES:
            context.add(START_LINES[name], {P50: values["p50"] * 1000, P99: values["p99"] * 1000})


def memory(context: Context) -> None:
    report = json.loads(
        run([
            context.durable, "bench", "memory", "--dedicated", str(context.choose(20, 8)), "--shared",
            str(context.choose(10_000, 1000)), "--seed", str(context.seed), "--directory", str(context.directory),
            "--json",
        ])  # fmt: skip
    )
    for (name, _), values in figures(report).items():
        if name.startswith("dedicated actor"):
            context.add("durable.memory.dedicated", {KIB: values["PSS"], "own KiB": values["own"]})
        elif name.startswith("shared actor"):
            context.add("durable.memory.shared", {KIB: values["PSS"], "own KiB": values["own"]})


def pairs(context: Context) -> None:
    report = benchmark(
        context, "pairs", "--rounds", 1, "--calls", context.choose(40_000, 10_000), *on_disk(context)
    )
    for (name, _), values in report.items():
        count, kind = name.split(" ")[0], "processes" if name.endswith("processes") else "tasks"
        context.add(f"durable.pairs.{kind}.{count}", {RATE: values["per second"]})


def actors(context: Context) -> None:
    named(context, "1,10,100,1000,10000", context.choose(5, 2), context.choose(20_000, 3000), ".disk")


def many_actors(context: Context) -> None:
    """As far as it goes, apart from what the goal is about: so many take long to create."""
    if not context.quick:
        named(context, "1,100000", 3, 20_000, ".disk", suffix="far")


def named(context: Context, counts: str, rounds: int, calls: int, level: str, suffix: str = "") -> None:
    report = benchmark(
        context, "actors", "--counts", counts, "--rounds", rounds, "--calls", calls, "--seed", context.seed,
        *on_disk(context), timeout=900,
    )  # fmt: skip
    for (name, _), values in report.items():
        if "per second" in values:
            line = f"durable.actors{suffix}.{name.split(' ')[0]}"
            context.add(line, {RATE: values["per second"], "x slower": values["x slower than first"]})
        else:
            context.add(f"durable.actors{suffix}.creation", {P50: values["mean"]})


def payload(context: Context) -> None:
    sizes = "16,65536,104857600" if context.quick else "16,256,4096,65536,1048576,16777216,104857600"
    report = benchmark(
        context, "payload", "--sizes", sizes, "--rounds", context.choose(2, 1), "--calls", context.choose(300, 50),
        *on_disk(context),
    )  # fmt: skip
    for (name, _), values in report.items():
        size = name.split(" ")[0]
        for kind, line in (("copy", "floor.copy"), ("argument", "durable.argument"), ("result", "durable.result")):
            context.add(f"{line}.{size}", {P50: values[kind], RATE: 1e6 / values[kind]})


def codec(context: Context) -> None:
    report = benchmark(context, "codec", "--rounds", context.choose(9, 3), "--values", context.choose(5000, 1000))
    for (name, _), values in report.items():
        for kind, line in (("CBOR", "durable.codec"), ("JSON", "foundation.codec")):
            context.add(f"{line}.{name}", {P50: values[kind], RATE: 1e6 / values[kind]})


def state(context: Context) -> None:
    sizes = "1,1000,100000" if context.quick else "1,1000,100000,10000000"
    report = benchmark(
        context, "state", "--sizes", sizes, "--rounds", context.choose(7, 2), "--mutations", context.choose(300, 100),
        "--recoveries", context.choose(7, 2), "--pause", 50, "--seed", context.seed, *on_disk(context), timeout=900,
    )  # fmt: skip
    for (name, unit), values in report.items():
        level, size = name.lstrip(".").split(", ")
        if unit == "microseconds":
            context.add(
                f"durable.state.{level}.{size}",
                {P50: values["ours p50"], P99: values["ours p99"], "net": values["net x smallest"]},
            )
            context.add(f"floor.state.{level}.{size}", {P50: values["raw p50"], P99: values["raw p99"]})
        else:
            context.add(f"durable.state.recovery.{level}.{size}", {P50: values["recovery p50"]})
