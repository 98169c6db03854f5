"""`kubectl exec`: a program in a container, its streams on a WebSocket (v4.channel.k8s.io)."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import struct
import termios
from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import WSMsgType, web

from stormlab.errors import LabError
from stormlab.node import orders
from stormlab.node.home import Home
from stormlab.node.run import ContainerRun
from stormlab.pod.shimclient import Execution, ShimGoneError

PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
_STDIN, _STDOUT, _STDERR, _ERROR, _RESIZE, _CLOSE = 0, 1, 2, 3, 4, 255
_BLOCK = 32768


class _Ends:
    """Our ends and the program's ends of its three streams."""

    def __init__(self, *, tty: bool, stdin: bool) -> None:
        self.tty = tty
        if tty:
            ours, theirs = os.openpty()
            self.stdin: int | None = os.dup(ours)
            self.outputs = {ours: _STDOUT}
            self.theirs = [theirs]
            self.program = [theirs, theirs, theirs]
            return
        out, out_w = os.pipe2(os.O_CLOEXEC)
        err, err_w = os.pipe2(os.O_CLOEXEC)
        if stdin:
            in_r, in_w = os.pipe2(os.O_CLOEXEC)
        else:
            in_r, in_w = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC), -1
        self.stdin = in_w if stdin else None
        self.outputs = {out: _STDOUT, err: _STDERR}
        self.program = [in_r, out_w, err_w]
        self.theirs = self.program

    def close_theirs(self) -> None:
        """After the program has them; without this its end would never show."""
        for fd in self.theirs:
            os.close(fd)

    def close_stdin(self) -> None:
        """The other side has said all it wanted."""
        if self.stdin is not None:
            os.close(self.stdin)
            self.stdin = None

    def close(self) -> None:
        """Everything of ours that is still open."""
        self.close_stdin()
        for fd in self.outputs:
            with contextlib.suppress(OSError):
                os.close(fd)


async def serve(request: web.Request, home: Home, run: ContainerRun) -> web.StreamResponse:
    """Run the command of the query and connect it to the WebSocket of the request."""
    socket = web.WebSocketResponse(protocols=PROTOCOLS)
    await socket.prepare(request)
    query = request.query
    command = query.getall("command", [])
    tty = query.get("tty") in {"1", "true"}
    ends = _Ends(tty=tty, stdin=query.get("stdin") in {"1", "true"})
    try:
        order = await orders.execution(home, run.container, command, tty=tty)
        execution = await home.shim.execute(order, ends.program)
    except LabError as error:
        ends.close_theirs()
        ends.close()
        await _finish(socket, _failure(str(error)))
        return socket
    ends.close_theirs()
    try:
        await _finish(socket, await _carry(socket, ends, execution))
    finally:
        ends.close()
        with contextlib.suppress(LabError):
            await execution.kill()
    return socket


async def _carry(socket: web.WebSocketResponse, ends: _Ends, execution: Execution) -> dict[str, Any]:
    """Move bytes until the program has ended and said all; its end as a Status."""
    outputs = [asyncio.create_task(_send_output(socket, fd, channel)) for fd, channel in ends.outputs.items()]
    inputs = asyncio.create_task(_receive(socket, ends))
    ended = asyncio.create_task(execution.wait())
    try:
        await asyncio.wait([ended, inputs], return_when=asyncio.FIRST_COMPLETED)
        if not ended.done():
            return _failure("the client is gone")
        # What a child of the program still holds open must not keep the stream for ever.
        await asyncio.wait(outputs, timeout=2.0)
        return _end(await ended)
    except ShimGoneError:
        return _end(137)
    finally:
        for task in [*outputs, inputs, ended]:
            task.cancel()
        await asyncio.gather(*outputs, inputs, ended, return_exceptions=True)


async def _send_output(socket: web.WebSocketResponse, fd: int, channel: int) -> None:
    wanted = asyncio.Event()
    loop = asyncio.get_running_loop()
    os.set_blocking(fd, False)
    loop.add_reader(fd, wanted.set)
    try:
        while True:
            await wanted.wait()
            wanted.clear()
            try:
                data = os.read(fd, _BLOCK)
            except BlockingIOError:
                continue
            except OSError:
                return  # a terminal whose last program is gone
            if not data:
                return
            wanted.set()
            await socket.send_bytes(bytes([channel]) + data)
    except ConnectionError:
        return
    finally:
        loop.remove_reader(fd)


async def _receive(socket: web.WebSocketResponse, ends: _Ends) -> None:
    """Input and window sizes, until the client is gone."""
    handlers: Mapping[int, Callable[[bytes], Any]] = {
        _RESIZE: lambda data: _resize(ends, data),
        _CLOSE: lambda data: ends.close_stdin() if data[:1] == bytes([_STDIN]) else None,
    }
    async for message in socket:
        if message.type not in {WSMsgType.BINARY, WSMsgType.TEXT} or not message.data:
            continue
        data = message.data if isinstance(message.data, bytes) else message.data.encode()
        channel, rest = data[0], data[1:]
        if channel == _STDIN and ends.stdin is not None:
            try:
                await asyncio.to_thread(_write_all, ends.stdin, rest)
            except OSError:
                ends.close_stdin()
        elif channel in handlers:
            handlers[channel](rest)


def _write_all(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]


def _resize(ends: _Ends, data: bytes) -> None:
    if ends.tty and ends.stdin is not None:
        with contextlib.suppress(ValueError, KeyError, OSError):
            size = json.loads(data)
            window = struct.pack("HHHH", size["Height"], size["Width"], 0, 0)
            fcntl.ioctl(ends.stdin, termios.TIOCSWINSZ, window)


def _end(code: int) -> dict[str, Any]:
    if code == 0:
        return {"metadata": {}, "status": "Success"}
    code = 128 - code if code < 0 else code
    return {
        "metadata": {},
        "status": "Failure",
        "reason": "NonZeroExitCode",
        "message": f"command terminated with non-zero exit code: exit status {code}",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }


def _failure(message: str) -> dict[str, Any]:
    return {
        "metadata": {},
        "status": "Failure",
        "reason": "InternalError",
        "message": f"error executing command in container: {message}",
        "code": 500,
    }


async def _finish(socket: web.WebSocketResponse, status: dict[str, Any]) -> None:
    with contextlib.suppress(ConnectionError):
        await socket.send_bytes(bytes([_ERROR]) + json.dumps(status).encode())
        await socket.close()
