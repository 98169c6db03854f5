"""`logs`: of a process of the lab from its file, of a pod through the API."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any, NoReturn

from stormlab import daemons, observe
from stormlab.errors import BadInputError
from stormlab.estate import Estate
from stormlab.regions import clients


def show(estate: Estate, state: Path, name: str, *, lines: int, follow: bool) -> NoReturn:
    """Become the program that prints the end of the log of `name`.

    It is a process of `status`, or [namespace/]pod[:container].
    Raises BadInputError when there is no such thing.
    """
    if name in {daemon.name for daemon in daemons.wanted(estate, state)}:
        path = daemons.log_path(state, name)
        _become(["tail", "-n", str(lines), *(["-F"] if follow else []), str(path)])
    pod, _, container = name.partition(":")
    namespace, _, pod = pod.rpartition("/")
    region, found = asyncio.run(_find(estate, state, namespace, pod))
    argv = ["kubectl", "--kubeconfig", str(state / "kubeconfig"), "--context", region, "logs"]
    argv += ["--tail", str(lines), "-n", found["metadata"]["namespace"], found["metadata"]["name"]]
    argv += ["-c", container] if container else []
    argv += ["-f"] if follow else []
    _become(argv)


def _become(argv: list[str]) -> NoReturn:
    sys.stdout.flush()
    os.execvp(argv[0], argv)  # noqa: S606  no shell wanted


async def _find(estate: Estate, state: Path, namespace: str, name: str) -> tuple[str, dict[str, Any]]:
    async with clients(estate, state) as by_region:
        for region, client in by_region.items():
            for pod in await observe.pods(client):
                meta = pod["metadata"]
                if meta["name"] == name and namespace in {"", meta["namespace"]}:
                    return region, dict(pod)
    processes = ", ".join(daemon.name for daemon in daemons.wanted(estate, state))
    raise BadInputError([f"no process and no pod is called '{name}' (processes: {processes})"])
