"""Erlang/OTP: each question is a node of its own, which ends; a second node is there while it is asked."""

from __future__ import annotations

import json
import os
import threading

from suite.context import Background, Context, run

NAMES = ["-setcookie", "peers", "-noshell", "-noinput"]


def code(context: Context) -> str:
    """Where the compiled module is."""
    place = context.directory / "erlang"
    if not place.exists():
        place.mkdir()
        run(["erlc", "-o", place, context.home / "erlang" / "peer_bench.erl"])
    return str(place)


def ask(context: Context, case: str, count: int, timeout: float = 120) -> None:
    command = ["erl", *NAMES, "-pa", code(context), "-s", "peer_bench", "client", case, count]
    if case not in ("local", "restart"):
        command[1:1] = ["-name", "client@127.0.0.1"]
    for line in run(command, timeout, env=environment(context)).splitlines():
        name, _, text = line.partition("\t")
        if text:
            figures = json.loads(text)
            context.add(name, figures, figures.pop("samples", ()))


def environment(context: Context) -> dict[str, str]:
    return dict(os.environ, HOME=str(context.directory), ERL_CRASH_DUMP="/dev/null")


def node(context: Context, *flags: str, **variables: str) -> Background:
    """The other node."""
    command = ["erl", "-name", "server@127.0.0.1", *NAMES, "-pa", code(context), *flags, "-s", "peer_bench", "serve"]
    return Background(command, context.directory / "erlang.log", env=environment(context) | variables)


def local(context: Context) -> None:
    ask(context, "local", context.choose(50_000, 10_000))


def remote(context: Context) -> None:
    server = node(context)
    try:
        ask(context, "remote", context.choose(10_000, 2000))
    finally:
        server.stop()


def restart(context: Context) -> None:
    ask(context, "restart", context.choose(1000, 200))


def heart(context: Context) -> None:
    """Heart starts what its variable says when the node that it watches is gone."""
    again = " ".join(["erl", "-name", "server@127.0.0.1", *NAMES, "-pa", code(context), "-heart"])
    again += " -s peer_bench serve"
    server = node(context, "-heart", HEART_COMMAND=f"{again} >/dev/null 2>&1 </dev/null &", HEART_BEAT_TIMEOUT="11")
    # Heart waits until the killed node is gone, and it is not before its parent has asked how it ended.
    threading.Thread(target=server.process.wait, daemon=True).start()
    try:
        ask(context, "heart", context.choose(4, 2))
    finally:
        try:
            # An orderly end, after which heart starts nothing.
            ask(context, "stop", 1)
        finally:
            server.stop()
