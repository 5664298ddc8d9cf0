"""What was measured on, and with what."""

from __future__ import annotations

import os
import platform
import sqlite3
import subprocess
from datetime import datetime, timezone
from pathlib import Path


def describe(root: Path, directory: Path, versions: dict[str, str]) -> dict[str, object]:
    """All but the load, which is looked at before and after."""
    cpu = next((line.split(":", 1)[1].strip() for line in read("/proc/cpuinfo") if line.startswith("model name")), "?")
    memory = next((int(line.split()[1]) for line in read("/proc/meminfo") if line.startswith("MemTotal")), 0)
    status = output("git", "-C", str(root), "status", "--porcelain", "--untracked-files=no")
    commit = output("git", "-C", str(root), "rev-parse", "--short=12", "HEAD") or "unknown"
    return {
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": commit + (", with changes that are not committed" if status else ""),
        "processor": f"{cpu}, {os.cpu_count()} cores, {memory / 1048576:.0f} GiB of memory",
        "kernel": platform.release(),
        "disk": disk(directory),
        "versions": ", ".join(f"{name} {version}" for name, version in versions.items()),
    }


def versions() -> dict[str, str]:
    """Of what is asked without being started; nothing of what is not there."""
    found = {
        "Swift": word_after(output("swift", "--version"), "Swift version"),
        "Erlang/OTP": output(
            "erl", "-noshell", "-noinput", "-eval",
            "io:format(\"~s (erts ~s)\", [erlang:system_info(otp_release), erlang:system_info(version)]), halt().",
        ),
        "Redis": word_after(output("redis-server", "--version"), "v="),
        "SQLite": sqlite3.sqlite_version,
        "Python": platform.python_version(),
        "liblmdb": output("dpkg-query", "-W", "-f", "${Version}", "liblmdb0"),
    }  # fmt: skip
    servers = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if servers:
        found["PostgreSQL"] = word_after(output(str(servers[-1]), "--version"), "(PostgreSQL)")
    return {name: version for name, version in found.items() if version}


def load() -> str:
    return " ".join(f"{value:.2f}" for value in os.getloadavg())


def disk(directory: Path) -> str:
    """The file system that holds the directory."""
    best: tuple[str, str, str, str] = ("", "?", "?", "")
    for line in read("/proc/self/mounts"):
        device, place, kind, options = line.split()[:4]
        if directory.is_relative_to(place) and len(place) >= len(best[0]):
            best = (place, device, kind, options)
    return f"{best[2]} ({best[3]}) on {best[1]}"


def read(path: str) -> list[str]:
    with open(path, encoding="utf-8", errors="replace") as lines:
        return lines.read().splitlines()


def output(*command: str) -> str:
    """What a program prints; nothing when it is not there."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def word_after(text: str, mark: str) -> str:
    rest = text.partition(mark)[2].split()
    return rest[0] if rest else ""
