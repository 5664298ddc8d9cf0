"""SQLite with a write-ahead log that is flushed at each commit."""

from __future__ import annotations

import sqlite3
import time

from suite.context import Context
from suite.results import P50, P99, RATE, percentile


def connect(context: Context) -> sqlite3.Connection:
    connection = sqlite3.connect(context.fresh("sqlite") / "counters.db", isolation_level=None)
    (mode,) = connection.execute("pragma journal_mode = wal").fetchone()
    assert mode == "wal", mode
    connection.execute("pragma synchronous = full")
    connection.execute("create table counters (id integer primary key, value integer)")
    connection.executemany("insert into counters values (?, 0)", [(number,) for number in range(1000)])
    return connection


def updates(context: Context) -> None:
    """One writer: an update for each commit, and 64."""
    connection = connect(context)
    change = "update counters set value = value + 1 where id = ?"
    durations: list[float] = []
    for _ in range(context.choose(600, 150)):
        begin = time.perf_counter()
        connection.execute(change, (1,))
        durations.append((time.perf_counter() - begin) * 1e6)
    p50 = percentile(durations, 50)
    context.add("sqlite.disk", {P50: p50, P99: percentile(durations, 99), RATE: 1e6 / p50})
    commits = context.choose(300, 60)
    begin = time.perf_counter()
    for _ in range(commits):
        connection.execute("begin immediate")
        for number in range(64):
            connection.execute(change, (number,))
        connection.execute("commit")
    context.add("sqlite.grouped", {RATE: commits * 64 / (time.perf_counter() - begin)})
    connection.close()
