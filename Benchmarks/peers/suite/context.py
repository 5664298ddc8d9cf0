"""What the measuring of one run shares: places, tools, servers that are kept, and how thorough it is."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Protocol, Sequence

from suite.results import Results


class Failed(Exception):
    """A line could not be measured; its message goes into the table."""


class Server(Protocol):
    """A process that is kept over the rounds."""

    def stop(self) -> None: ...


@dataclass
class Context:
    """A run."""

    directory: Path
    """An empty directory on the disk that is measured; goes in the end."""
    short: Path
    """Another one with a short path, for sockets."""
    home: Path
    """Where this suite is."""
    benchmarks: Path
    """The program durable-benchmarks."""
    durable: Path
    """The program durable."""
    quick: bool
    seed: int
    python: str
    """An interpreter that has Ray."""
    missing: dict[str, str]
    """Why systems are not there."""
    results: Results = field(default_factory=Results)
    round_number: int = 0
    servers: dict[str, Server] = field(default_factory=dict)
    log: Callable[[str], None] = print

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)

    def choose(self, full: int, quick: int) -> int:
        """How much is done."""
        return quick if self.quick else full

    def add(self, line: str, figures: dict[str, float], samples: Sequence[float] = ()) -> None:
        self.results.add(line, self.round_number, figures, samples)

    def fresh(self, name: str) -> Path:
        """An empty directory that other users may pass through: PostgreSQL refuses to run as root."""
        path = self.directory / name
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(mode=0o755)
        return path

    def server(self, name: str, start: Callable[[], Server]) -> Server:
        """A server that is started when it is first asked for, and lives until the stage ends."""
        if name not in self.servers:
            self.servers[name] = start()
        return self.servers[name]

    def stop_servers(self, keep: Sequence[str] = ()) -> None:
        for name in [name for name in self.servers if name not in keep]:
            self.servers.pop(name).stop()


Command = Sequence[object]
"""A program and its arguments, whatever their type."""


def run(command: Command, timeout: float = 300, **options: Any) -> str:
    """Runs a program to its end and returns what it printed."""
    try:
        done = subprocess.run(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            timeout=timeout,
            **options,
        )
    except FileNotFoundError as error:
        raise Failed(f"{command[0]} is not there") from error
    except subprocess.TimeoutExpired as error:
        raise Failed(f"{Path(str(command[0])).name} took more than {timeout:.0f} s") from error
    if done.returncode != 0:
        words = (done.stderr.strip() or done.stdout.strip()).splitlines()[-3:]
        raise Failed(f"{Path(str(command[0])).name} ended with {done.returncode}: {' / '.join(words)}")
    return str(done.stdout)


class Background:
    """A program that runs until it is stopped; what it says goes to a file."""

    def __init__(self, command: Command, log: Path, **options: Any) -> None:
        self.log = log
        with open(log, "ab") as output:
            self.process = subprocess.Popen(
                [str(part) for part in command],
                stdin=options.pop("stdin", subprocess.DEVNULL),
                stdout=options.pop("stdout", output),
                stderr=output,
                start_new_session=True,
                **options,
            )

    def last_words(self) -> str:
        return " / ".join(self.log.read_text(errors="replace").strip().splitlines()[-3:])

    def stop(self, patience: float = 10) -> None:
        """Asks it to end, and insists."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(patience)
            except subprocess.TimeoutExpired:
                pass
        try:
            os.killpg(self.process.pid, 9)
        except ProcessLookupError:
            pass
        self.process.wait()


class Dialogue(Background):
    """A program that is asked in lines of JSON and answers each with one."""

    def __init__(self, command: Command, log: Path, **options: Any) -> None:
        super().__init__(command, log, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, **options)

    def ask(self, question: dict[str, object]) -> dict[str, Any]:
        assert self.process.stdin and self.process.stdout
        try:
            self.process.stdin.write(json.dumps(question) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise Failed(f"it ended: {self.last_words()}")
        answer: dict[str, Any] = json.loads(line)
        if "failure" in answer:
            raise Failed(answer["failure"])
        return answer


def until(attempt: Callable[[], bool], what: str, limit: float = 20, pause: float = 0.005) -> None:
    """Tries until it works."""
    end = time.monotonic() + limit
    while not attempt():
        if time.monotonic() > end:
            raise Failed(f"{what} did not happen within {limit:.0f} s")
        time.sleep(pause)
