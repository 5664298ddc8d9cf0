"""The stages of a run: what is measured, by turns, and how often."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Callable

from suite import durable, peer_erlang, peer_postgres, peer_ray, peer_redis, peer_sqlite
from suite.context import Context


@dataclass(frozen=True)
class Step:
    """One turn of one system in a round."""

    system: str
    lines: tuple[str, ...]
    """What it finds; the first of them says so when it fails."""
    action: Callable[[Context], None]


@dataclass(frozen=True)
class Stage:
    """Steps that are compared with one another. Each round takes every one of them once, in an order of its own."""

    name: str
    question: str
    rounds: int
    quick_rounds: int
    steps: tuple[Step, ...]


STAGES = (
    Stage("calls", "What does a call cost, one at a time and with a thousand under way?", 5, 2, (
        Step(
            "durable", ("durable.call", "durable.pipelined.call", "durable.awaited.call"),
            partial(durable.calls, pin="none"),
        ),
        Step("durable", ("durable.call@one",), partial(durable.calls, pin="same")),
        Step("durable", ("durable.call@two",), partial(durable.calls, pin="two")),
        Step("ray", ("ray.call",), peer_ray.calls),
        Step("ray", ("ray.pipelined.call",), peer_ray.pipelined),
        Step("erlang", ("erlang.call.local", "erlang.pipelined.local", "erlang.create"), peer_erlang.local),
        Step("erlang", ("erlang.call.remote", "erlang.pipelined.remote"), peer_erlang.remote),
    )),
    Stage("durable", "What does a change cost that survives power loss?", 5, 2, (
        Step(
            "durable", ("durable.disk", "durable.pipelined.disk", "durable.awaited.disk", "durable.process"),
            durable.durable_calls,
        ),
        Step("redis", ("redis.disk",), peer_redis.single),
        Step("redis", ("redis.pipelined",), peer_redis.pipelined),
        Step("redis", ("redis.many",), peer_redis.many),
        Step("sqlite", ("sqlite.disk", "sqlite.grouped"), peer_sqlite.updates),
        Step("postgres", ("postgres.disk",), peer_postgres.single),
        Step("postgres", ("postgres.many",), peer_postgres.many),
    )),
    Stage("recovery", "How long from kill -9 to the next answer?", 4, 1, (
        Step("durable", ("durable.recovery.process", "durable.recovery.disk"), durable.recovery),
        Step("ray", ("ray.recovery",), peer_ray.recovery),
        Step("erlang", ("erlang.restart",), peer_erlang.restart),
        Step("erlang", ("erlang.heart",), peer_erlang.heart),
        Step("redis", ("redis.recovery",), peer_redis.recovery),
        Step("postgres", ("postgres.recovery",), peer_postgres.recovery),
    )),
    Stage("resident", "Does recovery take longer when the worker had much in its memory?", 1, 1, (
        Step("durable", ("durable.resident.state.1024", "durable.resident.held.1024"), durable.resident),
    )),
    Stage("create", "How long until a runtime, or an actor, answers for the first time?", 4, 1, (
        Step("durable", ("durable.create.warm", "durable.create.shared"), durable.create),
        Step("durable", ("durable.start", "durable.spawn.cold"), durable.start),
        Step("ray", ("ray.create.warm", "ray.create.cold"), peer_ray.create),
    )),
    Stage("memory", "How much memory does an idle actor take?", 1, 1, (
        Step("durable", ("durable.memory.dedicated", "durable.memory.shared"), durable.memory),
        Step("ray", ("ray.memory",), peer_ray.memory),
    )),
    Stage("pairs", "Do n callers of n actors get more done than one caller of one actor?", 4, 1, (
        Step("durable", ("durable.pairs.tasks.1", "durable.pairs.processes.1"), durable.pairs),
        Step("ray", ("ray.pairs.1",), peer_ray.pairs),
        Step("erlang", ("erlang.pairs.remote.1",), peer_erlang.remote),
    )),
    Stage("actors", "Do durable calls get slower when they go to many named actors instead of to one?", 1, 1, (
        Step("durable", ("durable.actors.10000",), durable.actors),
        Step("durable", ("durable.actorsfar.100000",), durable.many_actors),
    )),
    Stage("payload", "What do large arguments and results cost beside a copy in memory?", 3, 1, (
        Step("durable", ("durable.argument.104857600", "durable.result.104857600"), durable.payload),
        Step("ray", ("ray.argument.104857600", "ray.result.104857600"), peer_ray.payload),
    )),
    Stage("codec", "How much faster than Foundation's JSON is the coding of values?", 3, 1, (
        Step("durable", ("durable.codec.encode", "durable.codec.decode"), durable.codec),
    )),
    Stage("state", "Does a change of one entry cost more when there is more state?", 1, 1, (
        Step("durable", ("durable.state.disk.1", "durable.state.process.1"), durable.state),
    )),
)  # fmt: skip
