"""Ray: asks a server that is kept over all rounds, since its start takes seconds, and stopped between questions."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any, cast

from suite.context import Context, Dialogue
from suite.results import KIB, P50, P99, RATE, percentile

PLACE = "PEERS_RAY_DIRECTORY"


class RayServer(Dialogue):
    """All processes of a Ray cluster on this machine."""

    def __init__(self, context: Context) -> None:
        self.place = str(context.short)
        command = [context.python, context.home / "ray_server.py"]
        super().__init__(command, context.directory / "ray.log", env=dict(os.environ, **{PLACE: self.place}))

    def processes(self) -> list[int]:
        """Those that have inherited its directory, whoever has started them."""
        mark = f"{PLACE}={self.place}".encode()
        found: list[int] = []
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and mark in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
            except OSError:
                # It has ended meanwhile.
                continue
        return found

    def signal(self, number: int) -> None:
        for process in self.processes():
            try:
                os.kill(process, number)
            except ProcessLookupError:
                continue

    def ask(self, question: dict[str, object]) -> dict[str, Any]:
        """Lets it go on until it has answered: idle it would still use a part of a core that others are to have."""
        self.signal(signal.SIGCONT)
        # What was due while it stood still comes first.
        time.sleep(0.3)
        try:
            return super().ask(question)
        finally:
            self.signal(signal.SIGSTOP)

    def stop(self, patience: float = 10) -> None:
        self.signal(signal.SIGCONT)
        super().stop(patience)
        self.signal(signal.SIGKILL)


def ask(context: Context, name: str, **question: object) -> dict[str, Any]:
    return cast(RayServer, context.server("ray", lambda: RayServer(context))).ask({"do": name, **question})


def durations(samples: list[float]) -> dict[str, float]:
    """One client that makes one call at a time: the rate is that of half-way calls, as on our side."""
    p50 = percentile(samples, 50)
    return {P50: p50, P99: percentile(samples, 99), RATE: 1e6 / p50}


def calls(context: Context) -> None:
    answer = ask(context, "calls", count=context.choose(2000, 300))
    context.add("ray.call", durations(answer["samples"]))


def pipelined(context: Context) -> None:
    answer = ask(context, "pipelined", count=context.choose(5000, 2000), window=1000)
    context.add("ray.pipelined.call", {RATE: answer["rate"]})


def pairs(context: Context) -> None:
    for count in (1, 2, 4):
        answer = ask(context, "pairs", count=count, calls=context.choose(2000, 500) // count, window=1000 // count)
        context.add(f"ray.pairs.{count}", {RATE: answer["rate"]})


def create(context: Context) -> None:
    answer = ask(context, "create", cold=context.choose(3, 1))
    context.add("ray.create.warm", {}, answer["warm"])
    context.add("ray.create.cold", {}, answer["cold"])


def recovery(context: Context) -> None:
    for _ in range(context.choose(6, 2)):
        answer = ask(context, "recovery", pause=context.random.uniform(1, 2))
        context.add("ray.recovery", {}, answer["samples"])


def memory(context: Context) -> None:
    context.add("ray.memory", {KIB: ask(context, "memory", count=context.choose(8, 3))["KiB"]})


def payload(context: Context) -> None:
    answer = ask(context, "payload", size=104_857_600, count=context.choose(5, 3))
    for kind in ("argument", "result"):
        context.add(f"ray.{kind}.104857600", durations(answer[kind]))
