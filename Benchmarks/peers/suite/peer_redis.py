"""Redis with an append-only file that is flushed before each answer."""

from __future__ import annotations

import csv
import io
import signal
import socket
import time
from pathlib import Path

from suite.context import Background, Context, Failed, run, until
from suite.results import P50, P99, RATE

PORT = 7379


def launch(context: Context, directory: Path) -> Background:
    command = [
        "redis-server", "--bind", "127.0.0.1", "--port", str(PORT), "--dir", directory,
        "--appendonly", "yes", "--appendfsync", "always", "--save", "", "--daemonize", "no",
    ]  # fmt: skip
    return Background(command, context.directory / "redis.log")


def server(context: Context) -> None:
    def start() -> Background:
        started = launch(context, context.fresh("redis"))
        until(lambda: increment() is not None, "the start of Redis")
        return started

    context.server("redis", start)


class Connection:
    """A client of one key."""

    def __init__(self) -> None:
        self.socket = socket.create_connection(("127.0.0.1", PORT), 3)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def increment(self) -> int:
        self.socket.sendall(b"*2\r\n$4\r\nINCR\r\n$3\r\nkey\r\n")
        answer = b""
        while not answer.endswith(b"\r\n"):
            part = self.socket.recv(4096)
            if not part:
                raise ConnectionError("the connection ended")
            answer += part
        if not answer.startswith(b":"):
            # It is still loading its file.
            raise ConnectionError(answer.decode(errors="replace"))
        return int(answer[1:])


def increment() -> int | None:
    """One acknowledged change over a new connection; nothing while there is no server that makes it."""
    try:
        connection = Connection()
        try:
            return connection.increment()
        finally:
            connection.socket.close()
    except OSError:
        return None


def bench(context: Context, line: str, depth: int, count: int, clients: int = 1) -> None:
    """`redis-benchmark`: so many clients, each with so many changes under way."""
    server(context)
    text = run([
        "redis-benchmark", "-h", "127.0.0.1", "-p", str(PORT), "-c", str(clients), "-P", str(depth), "-n", str(count),
        "--csv", "INCR", "key",
    ])  # fmt: skip
    rows = list(csv.reader(io.StringIO(text)))
    values = [row for row in rows if len(row) >= 8 and row[0] != "test"][-1]
    rate, p50, p99 = (float(values[column]) for column in (1, 4, 6))
    context.add(line, {RATE: rate} if depth * clients > 1 else {RATE: rate, P50: p50 * 1000, P99: p99 * 1000})


def single(context: Context) -> None:
    bench(context, "redis.disk", 1, context.choose(1500, 300))


def pipelined(context: Context) -> None:
    bench(context, "redis.pipelined", 1000, context.choose(200_000, 50_000))


def many(context: Context) -> None:
    bench(context, "redis.many", 1, context.choose(200_000, 50_000), clients=1000)


def recovery(context: Context) -> None:
    """From kill -9 to the first acknowledged change of a server that is started at once."""
    directory = context.fresh("redis-killed")
    running = launch(context, directory)
    try:
        until(lambda: increment() is not None, "the start of Redis")
        durations: list[float] = []
        for _ in range(context.choose(5, 2)):
            connection = Connection()
            last = max(connection.increment() for _ in range(50))
            begin = time.perf_counter()
            running.process.send_signal(signal.SIGKILL)
            running.process.wait()
            running = launch(context, directory)
            value: int | None = None
            while value is None:
                value = increment()
                if time.perf_counter() - begin > 20:
                    raise Failed("no acknowledged change within 20 s")
            durations.append((time.perf_counter() - begin) * 1e6)
            if value != last + 1:
                raise Failed(f"after {last} changes and one more the value is {value}")
        context.add("redis.recovery", {}, durations)
    finally:
        running.stop()
