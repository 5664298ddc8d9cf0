"""PostgreSQL with its defaults, which flush each commit; asked over a Unix socket."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import socket
import struct
import time
from pathlib import Path

from suite.context import Background, Context, Failed, run, until
from suite.results import P50, P99, RATE, percentile

SCRIPT = "update counters set value = value + 1 where id = :client_id + 1;\n"


def programs() -> Path:
    """Where Debian keeps the newest version's programs."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(re.sub(r"\D.*", "", path.parts[-2])))
    if not found:
        raise Failed("PostgreSQL's server is not installed")
    return found[-1]


def as_its_user(command: list[str]) -> list[str]:
    """The server refuses to run as root."""
    if os.geteuid() != 0:
        return command
    return ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups", *command]


class Postgres:
    """A server with a cluster of its own."""

    def __init__(self, context: Context, name: str) -> None:
        self.directory = context.fresh(name)
        self.log = context.directory / "postgres.log"
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(self.directory, user.pw_uid, user.pw_gid)
        data = str(self.directory / "data")
        initdb = [str(programs() / "initdb"), "-D", data, "-A", "trust", "-U", "postgres", "--no-instructions"]
        run(as_its_user(initdb), cwd=self.directory)
        self.launch()
        try:
            until(lambda: self.query("select 1"), "the start of PostgreSQL", 30)
            made = self.query(
                "create table counters (id int primary key, value bigint); "
                "insert into counters select number, 0 from generate_series(1, 64) number"
            )
            if not made:
                raise Failed("the table could not be made")
        except Failed:
            self.stop()
            raise

    def launch(self) -> None:
        command = [
            str(programs() / "postgres"), "-D", str(self.directory / "data"), "-k", str(self.directory),
            "-c", "listen_addresses=",
        ]  # fmt: skip
        self.running = Background(as_its_user(command), self.log, cwd=self.directory)

    def stop(self) -> None:
        if self.running.process.poll() is None:
            # A fast shutdown: it does not wait for clients.
            self.running.process.send_signal(signal.SIGINT)
            try:
                self.running.process.wait(10)
            except Exception:
                pass
        self.running.stop()

    def kill(self) -> None:
        """Kills the server and all processes that it has started."""
        process = self.running.process
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        process.send_signal(signal.SIGKILL)
        for child in children:
            try:
                os.kill(int(child), signal.SIGKILL)
            except ProcessLookupError:
                pass
        process.wait()

    def query(self, text: str) -> bool:
        """Whether a new connection's query was carried out: the simple protocol, as small as it can be."""
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(5)
                connection.connect(str(self.directory / ".s.PGSQL.5432"))
                body = struct.pack("!I", 3 << 16) + b"user\0postgres\0database\0postgres\0\0"
                connection.sendall(struct.pack("!I", len(body) + 4) + body)
                if not self._await_ready(connection):
                    return False
                body = text.encode() + b"\0"
                connection.sendall(b"Q" + struct.pack("!I", len(body) + 4) + body)
                return self._await_ready(connection)
        except OSError:
            return False

    @staticmethod
    def _await_ready(connection: socket.socket) -> bool:
        buffer = b""
        is_good = True
        while True:
            while len(buffer) >= 5:
                kind, (length,) = buffer[:1], struct.unpack("!I", buffer[1:5])
                if len(buffer) < length + 1:
                    break
                is_good = is_good and kind != b"E"
                if kind == b"Z" or not is_good:
                    return is_good
                buffer = buffer[length + 1 :]
            part = connection.recv(65536)
            if not part:
                return False
            buffer += part


def bench(context: Context, line: str, clients: int) -> None:
    """`pgbench`: each client changes a row of its own, with a prepared statement."""
    server = context.server("postgres", lambda: Postgres(context, "postgres"))
    assert isinstance(server, Postgres)
    place = context.fresh("pgbench")
    (place / "script.sql").write_text(SCRIPT)
    run([
        programs() / "pgbench", "-n", "-h", server.directory, "-U", "postgres", "-M", "prepared", "-c", str(clients),
        "-j", "1", "-T", str(context.choose(3, 1)), "-f", "script.sql", "--log", "--log-prefix=log", "postgres",
    ], cwd=place)  # fmt: skip
    rows = [line.split() for path in place.glob("log*") for line in path.read_text().splitlines()]
    durations = [float(row[2]) for row in rows]
    ends = [int(row[4]) + int(row[5]) / 1e6 for row in rows]
    if len(rows) < 2:
        raise Failed("pgbench made no transactions")
    rate = (len(rows) - 1) / (max(ends) - min(ends))
    figures = {RATE: rate, P50: percentile(durations, 50), P99: percentile(durations, 99)}
    context.add(line, figures if clients == 1 else {RATE: rate})
    shutil.rmtree(place)


def single(context: Context) -> None:
    bench(context, "postgres.disk", 1)


def many(context: Context) -> None:
    bench(context, "postgres.many", 64)


def recovery(context: Context) -> None:
    """From kill -9 of all its processes to the first acknowledged change of a server that is started at once."""
    server = Postgres(context, "postgres-killed")
    change = "update counters set value = value + 1 where id = 1"
    try:
        durations: list[float] = []
        for _ in range(context.choose(3, 1)):
            for _ in range(20):
                server.query(change)
            begin = time.perf_counter()
            server.kill()
            while True:
                server.launch()
                # It refuses to start while a process of the killed one still holds the shared memory.
                while server.running.process.poll() is None and not (done := server.query(change)):
                    time.sleep(0.002)
                if server.running.process.poll() is None and done:
                    break
                if time.perf_counter() - begin > 30:
                    raise Failed("no acknowledged change within 30 s")
            durations.append((time.perf_counter() - begin) * 1e6)
        context.add("postgres.recovery", {}, durations)
    finally:
        server.stop()
