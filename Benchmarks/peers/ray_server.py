"""Ray, asked in lines of JSON. Runs in the interpreter that has Ray, and is idle while others are measured."""

from __future__ import annotations

import json
import logging
import os
import signal
import statistics
import sys
import time
from typing import Callable

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_DEDUP_LOGS", "0")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")

import numpy
import ray


@ray.remote(num_cpus=0)
class Counter:
    def __init__(self) -> None:
        self.value = 0

    def increment(self) -> int:
        self.value += 1
        return self.value

    def process(self) -> int:
        return os.getpid()


@ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)
class Restarted:
    def process(self) -> int:
        return os.getpid()


@ray.remote(num_cpus=0)
class Caller:
    def __init__(self, target) -> None:
        self.target = target

    def call(self, calls: int, window: int) -> None:
        pipeline(self.target, calls, window)


@ray.remote(num_cpus=0)
class Payload:
    def take(self, data: numpy.ndarray) -> int:
        self.data = data
        return int(data.nbytes)

    def give(self) -> numpy.ndarray:
        return self.data.copy()


@ray.remote
def nap() -> None:
    time.sleep(0.5)


def pipeline(target, calls: int, window: int) -> float:
    """Keeps a window of calls under way. Returns the seconds that all of them took."""
    begin = time.perf_counter()
    under_way: list = []
    sent = done = 0
    while done < calls:
        while len(under_way) < window and sent < calls:
            under_way.append(target.increment.remote())
            sent += 1
        # A tenth of the window at a time: waiting for one after the other costs Ray more.
        portion = min(len(under_way), max(1, window // 10))
        ray.get(under_way[:portion])
        del under_way[:portion]
        done += portion
    return time.perf_counter() - begin


def microseconds(action: Callable[[], object], count: int, limit: float = 5) -> list[float]:
    """How long each of so many took, as far as the limit in seconds allows."""
    durations: list[float] = []
    end = time.perf_counter() + limit
    for _ in range(count):
        begin = time.perf_counter()
        action()
        durations.append((time.perf_counter() - begin) * 1e6)
        if time.perf_counter() > end:
            break
    return durations


def kill_all(actors: list) -> None:
    for actor in actors:
        ray.kill(actor)


class Subjects:
    """What is measured. Each method answers one question."""

    def __init__(self) -> None:
        self.counter = Counter.remote()
        ray.get(self.counter.increment.remote())
        self.restarted = None

    def version(self) -> dict:
        return {"ray": ray.__version__, "python": sys.version.split()[0]}

    def calls(self, count: int) -> dict:
        microseconds(lambda: ray.get(self.counter.increment.remote()), 100, 1)
        return {"samples": microseconds(lambda: ray.get(self.counter.increment.remote()), count)}

    def pipelined(self, count: int, window: int) -> dict:
        pipeline(self.counter, window, window)
        return {"rate": count / pipeline(self.counter, count, window)}

    def pairs(self, count: int, calls: int, window: int) -> dict:
        targets = [Counter.remote() for _ in range(count)]
        callers = [Caller.remote(target) for target in targets]
        ray.get([caller.call.remote(window, window) for caller in callers])
        begin = time.perf_counter()
        ray.get([caller.call.remote(calls, window) for caller in callers])
        rate = count * calls / (time.perf_counter() - begin)
        kill_all(targets + callers)
        return {"rate": rate}

    def create(self, cold: int) -> dict:
        """From asking for an actor to its first answer: with an idle worker process, and without one."""
        # Tasks leave their worker processes behind, as many as there are processors.
        workers = os.cpu_count() or 1
        ray.get([nap.remote() for _ in range(workers)])
        actors: list = []

        def create() -> None:
            actors.append(Counter.remote())
            ray.get(actors[-1].increment.remote())

        warm = microseconds(create, 1)
        for _ in range(workers):
            create()
        found = microseconds(create, cold, 20)
        kill_all(actors)
        return {"warm": warm, "cold": found}

    def recovery(self, pause: float) -> dict:
        """From kill -9 of an actor's worker to the next answer, of a new process."""
        if self.restarted is None:
            self.restarted = Restarted.remote()
        before = ray.get(self.restarted.process.remote())
        time.sleep(pause)
        begin = time.perf_counter()
        os.kill(before, signal.SIGKILL)
        after = ray.get(self.restarted.process.remote(), timeout=60)
        duration = (time.perf_counter() - begin) * 1e6
        if after == before:
            raise RuntimeError(f"process {before} answered after it was killed")
        return {"samples": [duration]}

    def memory(self, count: int) -> dict:
        actors = [Counter.remote() for _ in range(count)]
        processes = ray.get([actor.process.remote() for actor in actors])
        time.sleep(1)
        found = [proportional_kib(process) for process in processes]
        kill_all(actors)
        return {"KiB": statistics.mean(found)}

    def payload(self, size: int, count: int) -> dict:
        actor = Payload.remote()
        data = numpy.full(size, 7, dtype=numpy.uint8)
        ray.get(actor.take.remote(data))
        argument = microseconds(lambda: ray.get(actor.take.remote(data)), count)
        result = microseconds(lambda: ray.get(actor.give.remote()), count)
        ray.kill(actor)
        return {"argument": argument, "result": result}


def proportional_kib(process: int) -> int:
    with open(f"/proc/{process}/smaps_rollup") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def main() -> None:
    # Answers leave by the pipe that was stdout; what Ray prints goes where errors go.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    subjects: Subjects | None = None
    for line in sys.stdin:
        question = json.loads(line)
        name = question.pop("do")
        try:
            if subjects is None:
                ray.init(
                    num_cpus=os.cpu_count(),
                    include_dashboard=False,
                    object_store_memory=1 << 30,
                    _temp_dir=os.environ["PEERS_RAY_DIRECTORY"],
                    logging_level=logging.ERROR,
                    log_to_driver=False,
                )
                time.sleep(3)
                subjects = Subjects()
            answer = getattr(subjects, name)(**question)
        except Exception as error:  # The table says what it was; the next question may be answered.
            answer = {"failure": f"{type(error).__name__}: {str(error)[:200]}"}
        answers.write(json.dumps(answer) + "\n")
    if subjects is not None:
        ray.shutdown()


if __name__ == "__main__":
    main()
