"""A place for a run: no network but loopback, and nothing outlives it."""

from __future__ import annotations

import shutil
import subprocess
from typing import Sequence

# Shared memory is private as well, so that nothing of Ray's store is left behind. The shell reaps orphans, as the first
# process of a namespace must; it stays because it has a second command.
SHELL = 'ip link set lo up && mount -t tmpfs -o size=8g tmpfs /dev/shm && "$@"; exit $?'


def command(wanted: Sequence[str]) -> list[str] | None:
    """How to run something in namespaces of its own; nothing when that is not allowed here."""
    if shutil.which("unshare") is None or shutil.which("ip") is None:
        return None
    base = ["unshare", "--net", "--pid", "--ipc", "--mount", "--fork", "--kill-child", "--mount-proc"]
    for prefix in (base, [*base, "--map-root-user"]):
        trial = subprocess.run([*prefix, "bash", "-c", SHELL, "_", "true"], capture_output=True)
        if trial.returncode == 0:
            return [*prefix, "bash", "-c", SHELL, "_", *wanted]
    return None
