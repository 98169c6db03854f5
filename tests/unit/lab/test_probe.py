"""Probes ask real servers and programs, and what counts is how many equal answers come in a row."""

import asyncio
import contextlib
import time

import pytest

from stormlab.node.podspec import parse
from stormlab.node.probe import Prober, ask
from stormlab.wait import until_async

HOST = "127.0.0.1"


def container_of(**probes):
    container = {"name": "c", "image": "i", "command": ["x"], **probes}
    metadata = {"uid": "u", "namespace": "n", "name": "p"}
    return parse({"metadata": metadata, "spec": {"containers": [container]}}).containers[0]


class Program:
    """A server on loopback that answers as it is told, and a command that ends as it is told."""

    def __init__(self):
        self.status, self.silent, self.exit_code = 200, False, 0
        self.requests = []
        self.ran = []

    async def serve(self, reader, writer):
        with contextlib.suppress(asyncio.IncompleteReadError):
            self.requests.append((await reader.readuntil(b"\r\n\r\n")).decode())
            if self.silent:
                await reader.read()
            writer.write(f"HTTP/1.1 {self.status} X\r\nContent-Length: 0\r\n\r\n".encode())
        writer.close()

    async def execute(self, command, timeout_s):
        self.ran.append((time.monotonic(), tuple(command), timeout_s))
        return self.exit_code, "why not"


def with_program(work):
    async def main():
        program = Program()
        server = await asyncio.start_server(program.serve, HOST, 0)
        async with server:
            await work(program, server.sockets[0].getsockname()[1])

    asyncio.run(main())


@pytest.mark.parametrize(
    ("status", "good"), [(200, True), (302, True), (399, True), (404, False), (500, False)]
)
def test_http_is_well_below_400(status, good):
    async def work(program, port):
        program.status = status
        headers = [{"name": "X-From", "value": "probe"}]
        probe = container_of(readinessProbe={"httpGet": {"path": "/h", "port": port, "httpHeaders": headers}})
        why = await ask(probe.probe("readiness"), HOST, program.execute)
        assert (why == "") is good
        assert good or f"statuscode: {status}" in why
        assert program.requests[0].startswith("GET /h HTTP/1.1\r\n")
        assert "X-From: probe\r\n" in program.requests[0]

    with_program(work)


def test_an_answer_that_does_not_come_in_time_is_a_bad_one():
    async def work(program, port):
        program.silent = True
        probe = container_of(livenessProbe={"httpGet": {"port": port}, "timeoutSeconds": 1}).probe("liveness")
        began = time.monotonic()
        assert "no answer within 1 s" in await ask(probe, HOST, program.execute)
        assert 0.9 < time.monotonic() - began < 3

    with_program(work)


def test_tcp_is_a_connection():
    async def work(program, port):
        def probe(number):
            return container_of(livenessProbe={"tcpSocket": {"port": number}}).probe("liveness")

        assert await ask(probe(port), HOST, program.execute) == ""
        assert "Connect call failed" in await ask(probe(1), HOST, program.execute)

    with_program(work)


def test_exec_is_an_exit_code():
    async def work(program, _):
        probe = container_of(livenessProbe={"exec": {"command": ["a", "b"]}, "timeoutSeconds": 7})
        assert await ask(probe.probe("liveness"), HOST, program.execute) == ""
        program.exit_code = 3
        assert await ask(probe.probe("liveness"), HOST, program.execute) == "why not"
        assert program.ran[0][1:] == (("a", "b"), 7)

    with_program(work)


@contextlib.contextmanager
def probing(program, on_change=lambda: None, **probes):
    failed = []
    prober = Prober(
        container_of(**probes), HOST, program.execute, on_change, lambda probe, why: failed.append(why)
    )
    try:
        yield prober.health, failed
    finally:
        prober.close()


def exec_probe(**more):
    return {"exec": {"command": ["ask"]}, "periodSeconds": 1, **more}


async def so(condition, what, timeout_s=15):
    async def asked():
        return condition()

    await until_async(asked, what, timeout_s, 0.01)


def test_ready_after_as_many_good_answers_as_it_takes_and_unready_after_as_many_bad_ones():
    async def work(program, _):
        changes = []
        probe = exec_probe(successThreshold=2, failureThreshold=2)
        with probing(program, lambda: changes.append(len(program.ran)), readinessProbe=probe) as (health, _):
            assert not health.ready
            await so(lambda: health.ready, "ready")
            assert changes == [2]
            program.exit_code = 1
            await so(lambda: not health.ready, "not ready")
            assert changes[1] - changes[0] == 2
            assert health.doomed == "", "readiness kills nobody"
            gaps = [
                later[0] - earlier[0] for earlier, later in zip(program.ran, program.ran[1:], strict=False)
            ]
            assert all(0.5 < gap < 3 for gap in gaps), "a second apart"

    with_program(work)


def test_liveness_dooms_after_its_threshold_and_not_before_its_delay():
    async def work(program, _):
        program.exit_code = 1
        probe = exec_probe(initialDelaySeconds=1, failureThreshold=2, terminationGracePeriodSeconds=3)
        began = time.monotonic()
        with probing(program, livenessProbe=probe) as (health, failed):
            assert health.ready, "without a readiness probe what runs is ready"
            await so(lambda: health.doomed, "doomed")
            assert program.ran[0][0] - began >= 1
            assert len(program.ran) == 2
            assert health.doomed == "Container c failed liveness probe: why not"
            assert (health.grace_s, failed) == (3, ["why not", "why not"])

    with_program(work)


def test_the_others_wait_until_it_has_started():
    async def work(program, _):
        program.exit_code = 1
        probes = {
            "startupProbe": {"exec": {"command": ["started"]}, "periodSeconds": 1, "failureThreshold": 9},
            "livenessProbe": exec_probe(failureThreshold=1),
            "readinessProbe": exec_probe(),
        }
        with probing(program, **probes) as (health, _):
            await so(lambda: len(program.ran) >= 2, "asked twice")
            assert {command for _, command, _ in program.ran} == {("started",)}
            assert (health.started, health.ready, health.doomed) == (False, False, "")
            program.exit_code = 0
            await so(lambda: health.ready, "ready")
            assert health.started

    with_program(work)


def test_what_does_not_start_is_doomed():
    async def work(program, _):
        program.exit_code = 1
        with probing(program, startupProbe=exec_probe(failureThreshold=1)) as (health, _):
            await so(lambda: health.doomed, "doomed")
            assert health.doomed == "Container c failed startup probe: why not"

    with_program(work)
