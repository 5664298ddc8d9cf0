"""Gets what is measured: Debian's packages, Ray in a virtual environment, and our own release build."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Sequence

from suite.context import Failed, run

Package = tuple[Callable[[], object], tuple[str, ...]]
"""Whether it is there, and what brings it."""


def has(*programs: str) -> Callable[[], bool]:
    return lambda: all(shutil.which(program) for program in programs)


PACKAGES: dict[str, Package] = {
    "erlang": (has("erlc"), ("erlang-base",)),
    "redis": (has("redis-server", "redis-benchmark"), ("redis-server", "redis-tools")),
    "postgres": (lambda: any(Path("/usr/lib/postgresql").glob("*/bin/postgres")), ("postgresql",)),
}
NEEDED: tuple[Package, ...] = (
    (Path("/usr/include/lmdb.h").exists, ("liblmdb-dev",)),
    (has("ip", "unshare"), ("iproute2", "util-linux")),
    (lambda: importlib.util.find_spec("ensurepip"), ("python3-venv",)),
)
"""Packages without which we cannot be built, peers be kept apart, or Ray be had."""
SERVICES = {"redis": ("redis-server",), "postgres": ("postgresql",), "erlang": ("epmd",)}
POLICY = Path("/usr/sbin/policy-rc.d")


@dataclass
class Installation:
    """What there is, and why the rest is not."""

    python: str = sys.executable
    benchmarks: Path = Path()
    durable: Path = Path()
    missing: dict[str, str] = field(default_factory=dict)


class Installer:
    def __init__(self, root: Path, cache: Path, may_install: bool, may_build: bool, log: Callable[[str], None]) -> None:
        self.root, self.cache, self.log = root, cache, log
        self.may_install, self.may_build = may_install, may_build
        self.found = Installation()

    def install(self, systems: Sequence[str]) -> Installation:
        """Gets these systems. Only our own build must not fail."""
        try:
            self._apt([name for is_there, packages in NEEDED if not is_there() for name in packages])
        except Failed as failure:
            self.log(f"going on without: {failure}")
        self._build()
        for system in systems:
            try:
                if system in PACKAGES:
                    self._package(system)
                elif system == "ray":
                    self._ray()
            except Failed as failure:
                self.found.missing[system] = f"not installed: {failure}"
                self.log(f"{system} cannot be had: {failure}")
        return self.found

    def _build(self) -> None:
        package = self.root / "Benchmarks"
        for product in ("durable-benchmarks", "durable"):
            if self.may_build:
                self.log(f"building {product}")
                run(["swift", "build", "-c", "release", "--package-path", package, "--product", product], 3600)
            program = package / ".build" / "release" / product
            if not program.exists():
                raise Failed(f"{program} is not there; leave --no-build away")
        self.found.benchmarks = package / ".build" / "release" / "durable-benchmarks"
        self.found.durable = package / ".build" / "release" / "durable"

    def _package(self, system: str) -> None:
        is_there, packages = PACKAGES[system]
        if is_there():
            return
        self._apt(packages)
        # They are not to start with the machine either, since nobody but this suite asked for them.
        if shutil.which("systemctl"):
            for service in SERVICES[system]:
                subprocess.run(["systemctl", "disable", service], capture_output=True, stdin=subprocess.DEVNULL)
        if not is_there():
            raise Failed("the packages do not bring the programs")

    def _apt(self, packages: Sequence[str]) -> None:
        if not packages:
            return
        if not self.may_install:
            raise Failed(f"{', '.join(packages)} is not there, and --no-install was given")
        if shutil.which("apt-get") is None or os.geteuid() != 0:
            raise Failed(f"{', '.join(packages)} needs apt-get and root")
        self.log(f"installing {', '.join(packages)}")
        environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
        with NoServices():
            run(["apt-get", "update"], 600, env=environment)
            run(["apt-get", "install", "-y", "--no-install-recommends", *packages], 1200, env=environment)

    def _ray(self) -> None:
        place = self.cache / "venv"
        python = place / "bin" / "python"
        if not self._has_ray(python):
            if not self.may_install:
                raise Failed("it is not there, and --no-install was given")
            self.log("installing Ray in a virtual environment")
            shutil.rmtree(place, ignore_errors=True)
            run([sys.executable, "-m", "venv", place], 300)
            run([python, "-m", "pip", "install", "--quiet", "ray", "numpy"], 1800)
            if not self._has_ray(python):
                raise Failed("what pip installed cannot be imported")
        self.found.python = str(python)

    @staticmethod
    def _has_ray(python: Path) -> bool:
        if not python.exists():
            return False
        return subprocess.run([python, "-c", "import ray, numpy"], capture_output=True).returncode == 0


class NoServices:
    """While this lasts, packages that are installed start nothing: Debian's own way to say so."""

    def __enter__(self) -> None:
        self.is_ours = not POLICY.exists()
        if self.is_ours:
            POLICY.write_text("#!/bin/sh\nexit 101\n")
            POLICY.chmod(0o755)

    def __exit__(self, *_: object) -> None:
        if self.is_ours:
            POLICY.unlink(missing_ok=True)
