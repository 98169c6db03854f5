"""Asking a container how it is, over HTTP, TCP or by a program, and the rules that judge its answers."""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from stormlab.errors import LabError
from stormlab.node.podspec import Container, Probe
from stormlab.wait import pause, ticks

Execute = Callable[[Sequence[str], float], Awaitable[tuple[int, str]]]
"""Runs a program in the container: exit code and output; raises TimeoutError after that many seconds."""

_MAX_OUTPUT = 1024


async def ask(probe: Probe, address: str, execute: Execute, *, timeout_s: float | None = None) -> str:
    """Put one question; what is wrong, or nothing when the answer is good. `timeout_s` replaces the probe's."""
    host = probe.host or address
    within_s = probe.timeout_s if timeout_s is None else timeout_s
    try:
        match probe.method:
            case "http":
                return await asyncio.wait_for(_http(probe, host), within_s)
            case "tcp":
                _, writer = await asyncio.wait_for(asyncio.open_connection(host, probe.port), within_s)
                writer.close()
            case "exec":
                code, output = await execute(probe.command, within_s)
                return "" if code == 0 else output or f"exit code {code}"
    except TimeoutError:
        return f"no answer within {within_s:g} s"
    except (OSError, LabError, asyncio.IncompleteReadError) as error:
        return str(error) or type(error).__name__
    return ""


async def _http(probe: Probe, host: str) -> str:
    context = None
    if probe.scheme.upper() == "HTTPS":
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # as kubelets do
    reader, writer = await asyncio.open_connection(host, probe.port, ssl=context)
    try:
        headers = {"Host": f"{host}:{probe.port}", "User-Agent": "kube-probe/1.31", "Accept": "*/*"}
        headers |= {**dict(probe.headers), "Connection": "close"}
        lines = [f"GET {probe.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        status = (await reader.readline()).split()
        code = int(status[1]) if len(status) > 1 and status[1].isdigit() else 0
        return "" if 200 <= code < 400 else f"HTTP probe failed with statuscode: {code}"
    finally:
        writer.close()


class Health:
    """What the probes of one run of a container have found so far.

    `before`: ready and started as an earlier node process left them. Its restart must not take a
    pod out of its services for a moment.
    """

    def __init__(self, container: Container, before: tuple[bool, bool] | None = None) -> None:
        ready, started = before or (False, False)
        self.started = started or container.probe("startup") is None
        self.ready = self.started and (ready or container.probe("readiness") is None)
        self.doomed = ""
        """Why the container has to be killed, empty while it may live."""
        self.grace_s: int | None = None
        """How long it may take to end then, where the probe says so."""


class Prober:
    """Asks all probes of one run of a container until closed."""

    def __init__(
        self,
        container: Container,
        address: str,
        execute: Execute,
        on_change: Callable[[], None],
        on_failure: Callable[[Probe, str], None],
        *,
        before: tuple[bool, bool] | None = None,
    ) -> None:
        self.health = Health(container, before)
        self._container = container
        self._address = address
        self._execute = execute
        self._on_change = on_change
        self._on_failure = on_failure
        self._task = asyncio.create_task(self._run()) if container.probes else None

    def close(self) -> None:
        """Ask no more."""
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        startup = self._container.probe("startup")
        readiness = self._container.probe("readiness")
        liveness = self._container.probe("liveness")
        if startup is not None and not self.health.started:
            await self._until_started(startup)
            if self.health.doomed:
                return
            self.health.started = True
            self.health.ready = readiness is None
            self._on_change()
        async with asyncio.TaskGroup() as group:
            if readiness is not None:
                group.create_task(self._watch_readiness(readiness))
            if liveness is not None:
                group.create_task(self._watch_liveness(liveness))

    async def _until_started(self, probe: Probe) -> None:
        async for good, in_a_row, why in self._answers(probe):
            if good:
                return
            if in_a_row >= probe.failures:
                self._doom(f"Container {self._container.name} failed startup probe: {why}", probe)
                return

    async def _watch_readiness(self, probe: Probe) -> None:
        async for good, in_a_row, _ in self._answers(probe):
            if good != self.health.ready and in_a_row >= (probe.successes if good else probe.failures):
                self.health.ready = good
                self._on_change()

    async def _watch_liveness(self, probe: Probe) -> None:
        async for good, in_a_row, why in self._answers(probe):
            if not good and in_a_row >= probe.failures:
                self._doom(f"Container {self._container.name} failed liveness probe: {why}", probe)
                return

    def _doom(self, why: str, probe: Probe) -> None:
        self.health.doomed, self.health.grace_s = why, probe.grace_s
        self._on_change()

    async def _answers(self, probe: Probe) -> AsyncIterator[tuple[bool, int, str]]:
        """Yield for ever (good, how many equal answers in a row, what is wrong)."""
        await pause(probe.initial_delay_s)
        last, in_a_row = None, 0
        async for _ in ticks(probe.period_s):
            why = await ask(probe, self._address, self._execute)
            good = not why
            in_a_row = in_a_row + 1 if good == last else 1
            last = good
            if not good:
                self._on_failure(probe, why)
            yield good, in_a_row, why


async def read_output(fd: int) -> str:
    """What a program wrote into a pipe until it closed it, at most 1 KB; closes `fd`."""
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(fd, "rb", 0)
    )
    with contextlib.closing(transport):
        return (await reader.read(_MAX_OUTPUT)).decode("utf-8", "replace").strip()
