"""The tables: goals first, then everything that was measured, beside ours."""

from __future__ import annotations

from dataclasses import dataclass

from suite.goals import Goals, has_figures, number, rate, time, times
from suite.results import KIB, P50, P99, RATE, Results


@dataclass(frozen=True)
class Group:
    """Lines that are compared with the first of them."""

    title: str
    metric: str
    lines: tuple[tuple[str, str], ...]


GROUPS = (
    Group("Calls, nothing durable, one at a time", P50, (
        ("durable.call", "DurableActors, `.none`"),
        ("durable.read", "DurableActors, a method that only reads a `.process` actor"),
        ("floor.exchange", "bare exchange of 100 bytes over a Unix socket"),
        ("ray.call", "Ray"),
        ("erlang.call.local", "Erlang, `gen_server:call` in one node"),
        ("erlang.call.remote", "Erlang, `gen_server:call` between two nodes"),
    )),
    Group("The same, all on one core", P50, (
        ("durable.call@one", "DurableActors, `.none`"), ("durable.process@one", "DurableActors, change, `.process`"),
        ("floor.exchange@one", "bare exchange"),
    )),
    Group("The same, caller on one core, everything else on another", P50, (
        ("durable.call@two", "DurableActors, `.none`"), ("durable.process@two", "DurableActors, change, `.process`"),
        ("floor.exchange@two", "bare exchange"),
    )),
    Group("1,000 calls in flight, one caller, one actor", RATE, (
        ("durable.awaited.call", "DurableActors, `.none`, awaited by 1,000 tasks"),
        ("durable.awaited.call@one", "the same, all on one core"),
        ("durable.pipelined.call", "DurableActors, `.none`, submitted"),
        ("durable.pipelined.read", "DurableActors, a method that only reads a `.process` actor"),
        ("durable.pipelined.call@one", "DurableActors, `.none`, all on one core"),
        ("durable.pipelined.call@two", "DurableActors, `.none`, on two cores"),
        ("ray.pipelined.call", "Ray"),
        ("erlang.pipelined.local", "Erlang in one node"),
        ("erlang.pipelined.remote", "Erlang between two nodes"),
    )),
    Group("n callers of n actors, 1,000 calls in flight together", RATE, tuple(
        (f"durable.pairs.{kind}.{count}", f"DurableActors, {count} to {count}, callers are {kind}")
        for kind in ("tasks", "processes") for count in (1, 2, 4, 8)
    ) + tuple((f"ray.pairs.{count}", f"Ray, {count} to {count}, callers are processes") for count in (1, 2, 4))
      + tuple((f"erlang.pairs.remote.{count}", f"Erlang between two nodes, {count} to {count}") for count in (1, 2, 4))
      + tuple((f"erlang.pairs.local.{count}", f"Erlang in one node, {count} to {count}") for count in (1, 2, 4))
    ),
    Group("Durable changes, one at a time", P50, (
        ("durable.disk", "DurableActors, `.disk`"),
        ("durable.process", "DurableActors, `.process` (survives kills, not power loss)"),
        ("durable.call@durable", "DurableActors, `.none` (survives nothing), same process and minute"),
        ("floor.fdatasync", "bare `fdatasync` of 4 KiB"),
        ("floor.lmdb", "raw LMDB commit, from C"),
        ("redis.disk", "Redis `INCR`, `appendfsync always`, 1 client"),
        ("sqlite.disk", "SQLite update, WAL, `synchronous = full`, in process"),
        ("postgres.disk", "PostgreSQL update, 1 client"),
    )),
    Group("Durable changes, many under way", RATE, (
        ("durable.awaited.disk", "DurableActors, `.disk`, awaited by 1,000 tasks"),
        ("durable.pipelined.disk", "DurableActors, `.disk`, 1,000 submitted"),
        ("durable.awaited.process", "DurableActors, `.process`, awaited by 1,000 tasks"),
        ("durable.pipelined.process", "DurableActors, `.process`, 1,000 submitted"),
        ("redis.many", "Redis `INCR`, `appendfsync always`, 1,000 clients, one each"),
        ("redis.pipelined", "Redis `INCR`, `appendfsync always`, 1 client, 1,000 in one write"),
        ("sqlite.grouped", "SQLite, 64 updates for each commit"),
        ("postgres.many", "PostgreSQL, 64 clients"),
    )),
    Group("`kill -9` to the next answer", P50, (
        ("durable.recovery.process", "DurableActors, `.process`, warm spare"),
        ("durable.recovery.disk", "DurableActors, `.disk`, warm spare"),
        ("floor.death", "end of file of a killed process of the same program"),
        ("floor.death.small", "end of file of a killed `cat`"),
        ("durable.resident.state.1024", "DurableActors, 1 GiB of state had been read"),
        ("floor.resident.state.1024", "end of file of a killed process that had read as much"),
        ("durable.resident.held.1024", "DurableActors, 1 GiB of its own memory"),
        ("floor.resident.held.1024", "end of file of a killed process with as much memory"),
        ("ray.recovery", "Ray, unlimited restarts and retries; its state is gone"),
        ("erlang.restart", "Erlang, process restarted by its supervisor; its state is gone"),
        ("erlang.heart", "Erlang, node restarted by heart; its state is gone"),
        ("redis.recovery", "Redis, killed and started at once"),
        ("postgres.recovery", "PostgreSQL, killed and started at once"),
    )),
    Group("From nothing to the first answer", P50, (
        ("durable.create.warm", "DurableActors, dedicated actor, spare warm"),
        ("durable.spawn.warm", "DurableActors, the same, first durable change"),
        ("durable.spawn.cold", "DurableActors, dedicated actor, no spare, first durable change"),
        ("durable.start", "DurableActors, start of a runtime to first durable change"),
        ("durable.create.shared", "DurableActors, 1,000 shared actors, all at once"),
        ("durable.create.shared.each", "DurableActors, 1,000 shared actors, one after the other"),
        ("durable.actors.creation", "DurableActors, one named shared actor among many"),
        ("ray.create.warm", "Ray, actor, idle worker process"),
        ("ray.create.cold", "Ray, actor, no idle worker process"),
        ("erlang.create", "Erlang, one `gen_server` in the same node"),
    )),
    Group("Memory of an idle actor", KIB, (
        ("durable.memory.dedicated", "DurableActors, dedicated (PSS)"),
        ("durable.memory.shared", "DurableActors, each further shared one"),
        ("ray.memory", "Ray (PSS)"),
        ("erlang.create", "Erlang, one `gen_server`"),
    )),
    Group("Durable calls to named shared actors, 1,000 in flight, `.disk`", RATE, tuple(
        (f"durable.actors.{count}", f"DurableActors, {count:,} actors") for count in (1, 10, 100, 1000, 10_000)
    ) + tuple((f"durable.actorsfar.{count}", f"the same in another run, {count:,} actors") for count in (1, 100_000))),
    Group("100 MB (100 MiB) in a call", P50, (
        ("durable.argument.104857600", "DurableActors, argument"),
        ("durable.result.104857600", "DurableActors, result"),
        ("floor.copy.104857600", "copy in memory"),
        ("ray.argument.104857600", "Ray, argument, numpy array"), ("ray.result.104857600", "Ray, result, numpy array"),
    )),
    Group("Coding a struct of 20 fields", P50, (
        ("durable.codec.encode", "DurableActors, CBOR, encode"),
        ("foundation.codec.encode", "Foundation, JSON, encode"),
        ("durable.codec.decode", "DurableActors, CBOR, decode"),
        ("foundation.codec.decode", "Foundation, JSON, decode"),
    )),
    Group("A change of one entry beside as many others", P50, tuple(
        (f"{system}.state.{level}.{size}", f"{name}, `.{level}`, {size:,} entries")
        for level in ("process", "disk")
        for size in (1, 1000, 100_000, 10_000_000)
        for system, name in (("durable", "DurableActors"), ("floor", "raw LMDB"))
    )),
)  # fmt: skip


def markdown(results: Results, machine: dict[str, object], curves: list[tuple[str, str]]) -> str:
    """Everything, for people."""
    lines = ["# DurableActors beside its peers", ""]
    lines += [
        "Made by `Benchmarks/peers/run`; what is measured and how is in [its README](../peers/README.md). Absolute",
        "times are of one machine at one hour. Ratios are medians of the ratios within a round, where both sides were",
        "measured in the same rounds; each round takes every system once, in an order of its own. Where two rows stand",
        "for one goal, it asks for both.",
        "",
    ]
    lines += [f"- {name}: {value}" for name, value in machine.items()]
    verdicts = Goals(results).check()
    met = sum(verdict.is_met is True for verdict in verdicts)
    known = sum(verdict.is_met is not None for verdict in verdicts)
    lines += ["", "## Goals", "", f"{met} of {known} checks are met; {len(verdicts) - known} could not be made.", ""]
    lines += ["| path | goal | measured | beside | ratio | |", "|---|---|---|---|---|---|"]
    for verdict in verdicts:
        word = {True: "met", False: "**not met**", None: "not measured"}[verdict.is_met]
        cells = (verdict.path, verdict.goal, verdict.measured, verdict.beside, verdict.ratio, word)
        lines.append(row(cells))
    for group in GROUPS:
        lines += group_lines(group, results)
    if curves:
        lines += ["", "## Curves"]
        for title, file in curves:
            lines += ["", f"![{title}]({file})"]
    if results.notes:
        lines += ["", "## Notes", ""] + [f"- {note}" for note in results.notes]
    return "\n".join(lines) + "\n"


def group_lines(group: Group, results: Results) -> list[str]:
    """A table; nothing when none of its lines was to be measured."""
    shown = [(line, name) for line, name in group.lines if line in results.lines]
    if not shown:
        return []
    reference = shown[0][0]
    head = {P50: "p50 | p99 | per second", RATE: "per second", KIB: "KiB"}[group.metric]
    lines = ["", f"## {group.title}", "", f"| | {head} | x first |", "|---|" + "---|" * (head.count("|") + 2)]
    for line, name in shown:
        if not has_figures(results, line):
            lines.append(row((name, results.failure(line) or "no figures", *([""] * (head.count("|") + 1)))))
            continue
        ratio = times(results.ratio(line, reference, group.metric))
        value = results.value(line, group.metric)
        if group.metric == P50:
            per_second = results.value(line, RATE)
            figures = [time(value), time(results.value(line, P99)), number(per_second)]
        else:
            figures = [rate(value) if group.metric == RATE else number(value)]
        failure = f" ({results.failure(line)})" if results.failure(line) else ""
        lines.append(row((name + failure, *figures, ratio)))
    return lines


def row(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
