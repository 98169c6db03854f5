"""Talking to a pod's shim: commands out, answers and changes of state back. The node's side."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from stormlab.errors import LabError

_MAX_PACKET = 1 << 20
_MAX_ORDER = 150_000
_ANSWER_S = 20.0
States = dict[str, dict[str, Any]]


class ShimError(LabError):
    """The shim refused a command, with its reason."""


class ShimGoneError(LabError):
    """The shim is not there: the pod is dead."""


class ShimClient:
    """One connection. `states` is the last known state of each container."""

    def __init__(self, connection: socket.socket, on_change: Callable[[], None]) -> None:
        self.states: States = {}
        self.gone = asyncio.Event()
        self._connection = connection
        self._on_change = on_change
        self._numbers = itertools.count(1)
        self._changed: asyncio.Future[None] | None = None
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._exits: dict[int, asyncio.Future[int]] = {}
        asyncio.get_running_loop().add_reader(connection.fileno(), self._readable)

    @classmethod
    async def connect(cls, directory: Path, on_change: Callable[[], None]) -> ShimClient:
        """Connect to the shim of a pod's directory and follow its state. Raises ShimGoneError."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
        # Through a descriptor: a socket's path is at most 107 bytes, a state directory's is not.
        place = os.open(directory, os.O_PATH | os.O_CLOEXEC)
        try:
            connection.connect(f"/proc/self/fd/{place}/shim.sock")
        except OSError as error:
            connection.close()
            raise ShimGoneError(f"no shim in {directory}: {error.strerror}") from error
        finally:
            os.close(place)
        client = cls(connection, on_change)
        await client.ask({"op": "watch"})
        return client

    def close(self) -> None:
        """Hang up; programs executed over this connection are killed, containers run on."""
        if not self.gone.is_set():
            asyncio.get_running_loop().remove_reader(self._connection.fileno())
            self._connection.close()
            self.gone.set()
            for answer in self._answers.values():
                _fail(answer)
            for ended in self._exits.values():
                _fail(ended)

    async def change_within(self, timeout_s: float) -> None:
        """Wait for the next change of a container's state, or the pod's end, at most `timeout_s`."""
        if self.gone.is_set():
            return
        if self._changed is None or self._changed.done():
            self._changed = asyncio.get_running_loop().create_future()
        await asyncio.wait({self._changed}, timeout=timeout_s)

    def _wake(self) -> None:
        if self._changed is not None and not self._changed.done():
            self._changed.set_result(None)
        self._on_change()

    async def ask(self, order: dict[str, Any], descriptors: Sequence[int] = ()) -> dict[str, Any]:
        """Send a command and return its answer. Raises ShimError when refused, ShimGoneError."""
        number = next(self._numbers)
        answer = self._send(number, order, descriptors)
        try:
            return await asyncio.wait_for(answer, _ANSWER_S)
        except TimeoutError as error:
            raise ShimError(f"no answer to '{order['op']}' within {_ANSWER_S:g} s") from error
        finally:
            self._answers.pop(number, None)

    async def execute(self, order: dict[str, Any], descriptors: Sequence[int]) -> Execution:
        """Run a program inside a container with these three descriptors. Raises as `ask`."""
        number = next(self._numbers)
        ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._exits[number] = ended
        answer = self._send(number, {"op": "exec", **order}, descriptors)
        try:
            reply = await asyncio.wait_for(answer, _ANSWER_S)
        except BaseException:
            self._exits.pop(number, None)
            raise
        finally:
            self._answers.pop(number, None)
        return Execution(self, int(reply["pid"]), ended)

    def _send(
        self, number: int, order: dict[str, Any], descriptors: Sequence[int]
    ) -> asyncio.Future[dict[str, Any]]:
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._answers[number] = future
        data = json.dumps({"id": number, **order}).encode()
        if len(data) > _MAX_ORDER:
            self._answers.pop(number)
            raise ShimError(
                f"environment and mounts make {len(data)} bytes, at most {_MAX_ORDER} can be passed"
            )
        try:
            socket.send_fds(self._connection, [data], list(descriptors))
        except OSError as error:
            self._answers.pop(number)
            raise ShimGoneError(f"the pod's shim is gone: {error.strerror}") from error
        return future

    def _readable(self) -> None:
        try:
            data = self._connection.recv(_MAX_PACKET)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.close()
            self._wake()
            return
        message = json.loads(data)
        if "containers" in message:
            self.states = message["containers"]
        number = message.get("id")
        if "exit" in message:
            exited = self._exits.pop(number, None)
            if exited is not None and not exited.done():
                exited.set_result(int(message["exit"]))
        elif number in self._answers and not self._answers[number].done():
            if "error" in message:
                self._answers[number].set_exception(ShimError(message["error"]))
            else:
                self._answers[number].set_result(message)
        if number is None:
            self._wake()


def _fail(future: asyncio.Future[Any]) -> None:
    if not future.done():
        future.set_exception(ShimGoneError("the pod's shim is gone"))
        future.exception()  # seen: nobody may be waiting for it


class Execution:
    """A program running inside a container beside its own."""

    def __init__(self, client: ShimClient, pid: int, ended: asyncio.Future[int]) -> None:
        self._client = client
        self._pid = pid
        self._ended = ended

    async def wait(self) -> int:
        """Its exit code, negative signal number when killed. Raises ShimGoneError when the pod died."""
        return await asyncio.shield(self._ended)

    async def kill(self) -> None:
        """Kill it and its session's processes; nothing happens when it has ended."""
        if not self._ended.done():
            await self._client.ask({"op": "kill_exec", "pid": self._pid})
