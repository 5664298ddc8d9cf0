"""Takes the rounds: every system by turns."""

from __future__ import annotations

import json
import random
import time
import traceback
from pathlib import Path
from typing import Sequence

from suite import curves, machine, peer_ray, table
from suite.context import Context, Failed
from suite.goals import Goals
from suite.stages import STAGES, Stage, Step

FAILURES_MAX = 2
"""So often a step may fail in a row before it is left away."""


def measure(context: Context, stages: Sequence[str], output: Path, described: dict[str, object]) -> None:
    """Runs stages and writes the tables after each, so that a run that is cut short leaves what it has."""
    begin = time.monotonic()
    load = machine.load()
    if "ray" not in context.missing:
        note_ray(context, described)
    for index, stage in enumerate(STAGES):
        if stage.name in stages:
            take(context, stage, index, begin)
            described["load before and after"] = f"{load}; {machine.load()}"
            described["duration"] = f"{(time.monotonic() - begin) / 60:.1f} minutes"
            write(context, output, described)


def note_ray(context: Context, described: dict[str, object]) -> None:
    """Starts Ray, which takes so long that it is kept."""
    try:
        found = peer_ray.ask(context, "version")
    except Failed as failure:
        context.missing["ray"] = f"cannot be started: {failure}"
        context.log(context.missing["ray"])
        return
    described["versions"] = f"{described['versions']}, Ray {found['ray']}"
    context.results.notes.append(
        "Ray takes seconds to start. Its processes are kept over the whole run, and stopped (SIGSTOP) while others are "
        "measured; the others are there only while they are measured, or idle."
    )


def take(context: Context, stage: Stage, index: int, begin: float) -> None:
    rounds = context.choose(stage.rounds, stage.quick_rounds)
    started = time.monotonic()
    failures: dict[int, int] = {}
    order = random.Random(context.seed * 1000 + index)
    context.log(f"[{elapsed(begin)}] {stage.name}: {stage.question}")
    for number in range(rounds):
        # No two stages share a round: what is compared within a round was measured within minutes.
        context.round_number = index * 1000 + number
        turns = list(range(len(stage.steps)))
        order.shuffle(turns)
        for turn in turns:
            step = stage.steps[turn]
            if failures.get(turn, 0) < FAILURES_MAX:
                failures[turn] = 0 if attempt(context, step) else failures.get(turn, 0) + 1
        context.log(f"[{elapsed(begin)}] {stage.name}: round {number + 1} of {rounds}")
    context.stop_servers(keep=["ray"])
    context.results.stages[stage.name] = {
        "question": stage.question, "rounds": rounds, "seconds": round(time.monotonic() - started, 1),
    }  # fmt: skip


def attempt(context: Context, step: Step) -> bool:
    """Takes a step; whatever goes wrong with it goes into the table, and the run goes on."""
    if step.system in context.missing:
        reason = context.missing[step.system]
    else:
        try:
            step.action(context)
            return True
        except Failed as failure:
            reason = str(failure)
        except Exception as error:
            traceback.print_exc()
            reason = f"{type(error).__name__}: {error}"
        context.log(f"{step.system}: {', '.join(step.lines)}: {reason}")
        if step.system in context.servers:
            # What has failed once is started anew, if it is asked again.
            context.servers.pop(step.system).stop()
    for line in step.lines:
        context.results.fail(line, reason)
    return False


def write(context: Context, output: Path, described: dict[str, object]) -> None:
    output.mkdir(parents=True, exist_ok=True)
    pictures = curves.write(context.results, output)
    (output / "peers.md").write_text(table.markdown(context.results, described, pictures), encoding="utf-8")
    verdicts = [vars(verdict) for verdict in Goals(context.results).check()]
    report = {"machine": described, "goals": verdicts, **context.results.as_json()}
    (output / "peers.json").write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def elapsed(begin: float) -> str:
    seconds = int(time.monotonic() - begin)
    return f"{seconds // 60:02}:{seconds % 60:02}"
