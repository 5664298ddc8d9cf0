"""The goals: what was measured, beside what, and whether that is enough."""

from __future__ import annotations

from dataclasses import dataclass

from suite.results import KIB, P50, P99, RATE, Results


@dataclass(frozen=True)
class Verdict:
    """One check of one goal."""

    path: str
    goal: str
    measured: str
    beside: str
    ratio: str
    is_met: bool | None
    """Nothing when it could not be checked."""


def time(value: float | None) -> str:
    """A duration in microseconds, for people."""
    if value is None:
        return "-"
    for unit, size in (("s", 1e6), ("ms", 1e3), ("µs", 1.0)):
        if abs(value) >= size or unit == "µs":
            return f"{number(value / size)} {unit}"
    return "-"


def number(value: float | None) -> str:
    """Three digits: more than such figures can carry."""
    if value is None or value != value:
        return "-"
    if abs(value) >= 1000:
        digits = len(str(int(abs(value))))
        return f"{round(value, 3 - digits):,.0f}"
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.3g}"


def rate(value: float | None) -> str:
    return "-" if value is None else f"{number(value)}/s"


def times(value: float | None) -> str:
    return "-" if value is None else f"{number(value)} x"


def within(value: float | None, limit: float) -> bool:
    return value is not None and value <= limit


def reaches(value: float | None, least: float) -> bool:
    return value is not None and value >= least


class Goals:
    """Checks all goals against the results."""

    def __init__(self, results: Results) -> None:
        self.results = results
        self.verdicts: list[Verdict] = []

    def check(self) -> list[Verdict]:
        self._calls()
        self._pairs()
        self._durable()
        self._recovery()
        self._creation()
        self._memory()
        self._rest()
        return self.verdicts

    def _add(
        self,
        path: str,
        goal: str,
        lines: tuple[str, ...],
        measured: str,
        beside: str,
        ratio: float | None,
        is_met: bool,
    ) -> None:
        """Keeps a verdict; where a line has not been measured, the reason stands where its figures would."""
        missing = [line for line in lines if line not in self.results.lines or not has_figures(self.results, line)]
        if missing:
            reason = self.results.failure(missing[0]) or "was not run"
            self.verdicts.append(Verdict(path, goal, measured, f"{missing[0]}: {reason}", "-", None))
        else:
            self.verdicts.append(Verdict(path, goal, measured, beside, times(ratio), is_met))

    def _at_most(self, path: str, goal: str, line: str, limit: float, metric: str = P50) -> None:
        """A duration that has a bound of its own."""
        value = self.results.value(line, metric)
        self._add(
            path, f"{goal} at most {time(limit)}", (line,), time(value), time(limit),
            None if value is None else value / limit, within(value, limit),
        )  # fmt: skip

    def _calls(self) -> None:
        results, path = self.results, "call, nothing durable, 1 to 1"
        for pin, name in (("@one", "both on one core"), ("@two", "on two cores")):
            call, floor = f"durable.call{pin}", f"floor.exchange{pin}"
            ratio = results.ratio(call, floor)
            self._add(
                f"{path}, {name}", "p50 at most 2.5 times a bare exchange", (call, floor), time(results.value(call)),
                f"exchange {time(results.value(floor))}", ratio, within(ratio, 2.5),
            )  # fmt: skip
        for peer, name, least in (("ray.call", "Ray", 20), ("erlang.call.remote", "two Erlang nodes", 2)):
            ratio = results.ratio(peer, "durable.call")
            self._add(
                path, f"{least} times faster than {name}", ("durable.call", peer), time(results.value("durable.call")),
                f"{name} {time(results.value(peer))}", ratio,
                reaches(ratio, least),
            )  # fmt: skip
        for line, how in (("durable.awaited.call", "awaited by tasks"), ("durable.pipelined.call", "submitted")):
            path = f"1,000 calls in flight, 1 to 1, {how}"
            value = results.value(line, RATE)
            self._add(
                path, "at least 200,000/s", (line,), rate(value), "200,000/s", (value or 0) / 200_000,
                reaches(value, 200_000),
            )  # fmt: skip
            ratio = results.ratio(line, "ray.pipelined.call", RATE)
            self._add(
                path, "100 times Ray", (line, "ray.pipelined.call"), rate(value),
                f"Ray {rate(results.value('ray.pipelined.call', RATE))}", ratio,
                reaches(ratio, 100),
            )  # fmt: skip

    def _pairs(self) -> None:
        for kind in ("tasks", "processes"):
            for count in (2, 4, 8):
                line, single = f"durable.pairs.{kind}.{count}", f"durable.pairs.{kind}.1"
                ratio = self.results.ratio(line, single, RATE)
                self._add(
                    f"{count} callers to {count} actors, callers are {kind}", "not below 1 to 1", (line, single),
                    rate(self.results.value(line, RATE)), f"1 to 1 {rate(self.results.value(single, RATE))}", ratio,
                    reaches(ratio, 1),
                )  # fmt: skip

    def _durable(self) -> None:
        results = self.results
        for line, floor, name, limit in (
            ("durable.process", "durable.call@durable", "call", 15.0),
            ("durable.disk", "floor.lmdb", "raw LMDB commit", 60.0),
        ):
            more = results.difference(line, floor)
            self._add(
                f"durable change, .{line.split('.')[1]}", f"{name} + {limit:.0f} µs", (line, floor),
                time(results.value(line)), f"{name} {time(results.value(floor))}, {time(more)} more",
                results.ratio(line, floor), within(more, limit),
            )  # fmt: skip
        for line, how, peers in (
            ("durable.awaited.disk", "awaited by tasks", (("redis.many", "1,000 clients"),)),
            ("durable.pipelined.disk", "submitted", (("redis.pipelined", "1,000 in one write"),)),
        ):
            path = f"durable changes, 1,000 in flight, .disk, {how}"
            value = results.value(line, RATE)
            self._add(
                path, "at least 150,000/s", (line,), rate(value), "150,000/s", (value or 0) / 150_000,
                reaches(value, 150_000),
            )  # fmt: skip
            for peer, name in peers:
                ratio = results.ratio(line, peer, RATE)
                self._add(
                    path, f"ahead of Redis, appendfsync always, {name}", (line, peer), rate(value),
                    f"Redis {rate(results.value(peer, RATE))}", ratio, ratio is not None and ratio > 1,
                )  # fmt: skip

    def _recovery(self) -> None:
        for level in ("process", "disk"):
            path, line = f"kill -9 to next answer, warm spare, .{level}", f"durable.recovery.{level}"
            self._at_most(path, "p50", line, 1500, P50)
            self._at_most(path, "p99", line, 6000, P99)
        for kind, name in (("state", "1 GB of state read"), ("held", "1 GB of its own memory")):
            line, floor = f"durable.resident.{kind}.1024", f"floor.resident.{kind}.1024"
            for metric, limit in ((P50, 1500.0), (P99, 6000.0)):
                value, bare = self.results.value(line, metric), self.results.value(floor, metric)
                allowed = max(limit, 2 * (bare or 0))
                self._add(
                    f"kill -9 to next answer, {name}",
                    f"{metric} at most {time(limit)}, or 2 times the time to end of file where that is more",
                    (line, floor), time(value), f"end of file {time(bare)}", (value or 0) / bare if bare else None,
                    within(value, allowed),
                )  # fmt: skip

    def _creation(self) -> None:
        self._at_most("cold spawn to first answer", "p50", "durable.spawn.cold", 15_000)
        self._at_most("start in an empty directory to first durable answer", "p50", "durable.start", 50_000)
        self._at_most("create a dedicated actor to first answer, warm", "p50", "durable.create.warm", 2000)
        self._at_most("1,000 shared actors to all first answers, at once", "p50", "durable.create.shared", 200_000)
        self._at_most("the same, one after the other", "p50", "durable.create.shared.each", 200_000)

    def _memory(self) -> None:
        for kind, limit, text in (("dedicated", 4096.0, "4 MB"), ("shared", 2.0, "2 KB")):
            line = f"durable.memory.{kind}"
            value, own = self.results.value(line, KIB), self.results.value(line, "own KiB")
            peer = "ray.memory" if kind == "dedicated" else "erlang.create"
            name = "Ray" if kind == "dedicated" else "Erlang process"
            self._add(
                f"memory of an idle {kind} actor", f"at most {text}", (line,), f"{number(value)} KiB PSS",
                f"{number(own)} KiB of no file; {name} {number(self.results.value(peer, KIB))} KiB",
                (value or 0) / limit, within(value, limit),
            )  # fmt: skip

    def _rest(self) -> None:
        results = self.results
        many, one = "durable.actors.10000", "durable.actors.1"
        slower = results.ratio(one, many, RATE)
        if results.value(many, "x slower") is not None:
            slower = results.value(many, "x slower")
        self._add(
            "10,000 named shared actors, durable calls", "at most 1.5 times slower than one actor", (many, one),
            rate(results.value(many, RATE)), f"one actor {rate(results.value(one, RATE))}", slower,
            within(slower, 1.5),
        )  # fmt: skip
        for kind in ("argument", "result"):
            line, floor = f"durable.{kind}.104857600", "floor.copy.104857600"
            ratio = results.ratio(line, floor)
            peer = results.value(f"ray.{kind}.104857600")
            self._add(
                f"100 MB {kind}", "at least half the speed of a copy in memory", (line, floor),
                time(results.value(line)), f"copy {time(results.value(floor))}; Ray {time(peer)}", ratio,
                within(ratio, 2),
            )  # fmt: skip
        for kind in ("encode", "decode"):
            line, floor = f"durable.codec.{kind}", f"foundation.codec.{kind}"
            ratio = results.ratio(floor, line)
            self._add(
                f"CBOR {kind}, 20 fields", "at least 4 times as fast as Foundation's JSON", (line, floor),
                time(results.value(line)), f"JSON {time(results.value(floor))}", ratio,
                reaches(ratio, 4),
            )  # fmt: skip


def has_figures(results: Results, line: str) -> bool:
    kept = results.lines[line]
    return bool(kept.samples) or any(kept.rounds.values())
