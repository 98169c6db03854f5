"""First process of a pod: keeps its namespaces, starts and reaps containers, records how they ended.

Started by the node process, it outlives it: state is in `state.json` of the pod's directory, commands
come over `shim.sock` there (one JSON object a packet), and a new node process connects again.
Runs as `python -I -S`, standard library only, so that a hundred of them are cheap.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import sys
import time

from stormlab.pod import container, kernel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MAX_PACKET = 160_000
"""Largest command or answer, bytes: below the kernel's default limit for one packet."""
NAME = "pause"
"""As the first process of a pod is called on other nodes: who kills containers knows it by that."""
START_FAILED = 128
"""Exit code recorded for a container whose program could not be started."""


class Shim:
    """The pod's containers and whoever asks about them."""

    def __init__(self, directory: str, listener: socket.socket) -> None:
        self._directory = directory
        self._listener = listener
        self._clients: dict[int, socket.socket] = {}
        self._watchers: set[int] = set()
        self._containers: dict[str, dict[str, Any]] = {}
        self._cgroups: dict[str, str] = {}
        self._kills: dict[str, tuple[str, int]] = {}
        """Where the kernel counts whom it killed for lack of memory, and how many when this run began."""
        self._executions: dict[int, tuple[int, int]] = {}
        """Pid of an executed program to the client and request it belongs to."""

    def run(self) -> None:
        """Serve for ever; the end of this process is the end of the pod."""
        wake, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        poll = select.poll()
        poll.register(wake, select.POLLIN)
        poll.register(self._listener, select.POLLIN)
        self._record()
        while True:
            for fd, _ in poll.poll():
                if fd == wake:
                    os.read(wake, 4096)
                    self._reap()
                elif fd == self._listener.fileno():
                    client, _ = self._listener.accept()
                    self._clients[client.fileno()] = client
                    poll.register(client, select.POLLIN)
                elif not self._serve(fd):
                    poll.unregister(fd)
                    self._hang_up(fd)

    def _serve(self, fd: int) -> bool:
        """One command of a client; whether the client is still there."""
        client = self._clients[fd]
        try:
            data, descriptors, _, _ = socket.recv_fds(client, MAX_PACKET, 3)
        except OSError:
            return False
        if not data:
            return False
        order: dict[str, Any] = {}
        try:
            order = json.loads(data)
            answer = self._obey(fd, order, descriptors)
        except (OSError, ValueError, KeyError, TypeError) as error:
            answer = {"error": str(error) or repr(error)}
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        return self._send(fd, {"id": order.get("id"), **answer})

    def _obey(self, fd: int, order: dict[str, Any], descriptors: list[int]) -> dict[str, Any]:
        match order["op"]:
            case "start":
                return self._start(order)
            case "signal":
                os.kill(self._running(order["container"]), order["signal"])
            case "exec":
                pid = self._running(order["container"])
                child = self._fork(lambda: container.execute_in(order, pid, descriptors))
                self._executions[child] = (fd, order["id"])
                return {"pid": child}
            case "kill_exec":
                if order["pid"] in self._executions:
                    os.killpg(order["pid"], signal.SIGKILL)
            case "watch":
                self._watchers.add(fd)
            case "state":
                pass
            case unknown:
                raise ValueError(f"unknown command {unknown}")
        return {"containers": self._containers}

    def _running(self, name: str) -> int:
        found = self._containers.get(name)
        if found is None or found["finished_at"] is not None:
            raise ValueError(f"container {name} is not running")
        return int(found["pid"])

    def _start(self, order: dict[str, Any]) -> dict[str, Any]:
        name = order["container"]
        old = self._containers.get(name)
        if old is not None and old["finished_at"] is None:
            raise ValueError(f"container {name} is already running")
        path = f"{self._directory}/{name}.log"
        if order["attempt"] and os.path.exists(path):  # noqa: PTH110  pathlib costs the shim 3 ms
            os.rename(path, f"{self._directory}/{name}.previous.log")  # noqa: PTH104
        log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
        started_at = time.time()
        self._cgroups[name] = order["cgroup"]
        self._kills[name] = (order["kills"], _oom_kills(order["kills"]))
        failure = ""
        try:
            pid = self._fork(lambda: container.start(order, log))
        except OSError as error:
            pid, failure = 0, str(error)
            os.write(log, f"{failure}\n".encode())
        finally:
            os.close(log)
        self._containers[name] = {
            "attempt": order["attempt"],
            "pid": pid,
            "started_at": started_at,
            "finished_at": time.time() if failure else None,
            "exit_code": START_FAILED if failure else None,
            "signal": None,
            "message": failure,
            # After the loss of the whole sandbox the node still knows how the run before ended.
            "last": {key: value for key, value in old.items() if key != "last"} if old else order.get("last"),
        }
        self._changed()
        return {"error": failure} if failure else {"pid": pid}

    def _fork(self, become: Any) -> int:
        """Fork a child that becomes something else; its pid. Raises OSError when it could not become it."""
        reading, writing = os.pipe2(os.O_CLOEXEC)
        pid = os.fork()
        if pid == 0:
            try:
                become()
            except BaseException as error:  # noqa: BLE001  anything at all must reach the parent
                os.write(writing, str(error).encode()[:4096] or b"failed")
            finally:
                os._exit(START_FAILED)
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            failure = pipe.read().decode(errors="replace")
        if failure:
            os.waitpid(pid, 0)
            raise OSError(failure)
        return pid

    def _reap(self) -> None:
        changed = False
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            if pid in self._executions:
                fd, number = self._executions.pop(pid)
                self._send(fd, {"id": number, "exit": os.waitstatus_to_exitcode(status)})
            for name, found in self._containers.items():
                if found["pid"] == pid and found["finished_at"] is None:
                    self._finish(name, found, status)
                    changed = True
        if changed:
            self._changed()

    def _finish(self, name: str, found: dict[str, Any], status: int) -> None:
        """A container is its first process: what it leaves behind goes with it, setsid or not."""
        _kill_group(self._cgroups[name])
        number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
        found["signal"] = number
        found["exit_code"] = 128 + number if number else os.WEXITSTATUS(status)
        counter, before = self._kills[name]
        found["oom_killed"] = found["exit_code"] != 0 and _oom_kills(counter) > before
        found["finished_at"] = time.time()

    def _changed(self) -> None:
        self._record()
        for fd in list(self._watchers):
            self._send(fd, {"containers": self._containers})

    def _record(self) -> None:
        path = f"{self._directory}/state.json"
        with open(f"{path}.new", "w", encoding="utf-8") as file:  # noqa: PTH123
            json.dump({"containers": self._containers}, file)
        os.rename(f"{path}.new", path)  # noqa: PTH104

    def _send(self, fd: int, message: dict[str, Any]) -> bool:
        client = self._clients.get(fd)
        if client is None:
            return False
        try:
            # A node process that does not listen must not stop the pod: it reads state.json later.
            client.send(json.dumps(message).encode(), socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
        except OSError:
            return False
        return True

    def _hang_up(self, fd: int) -> None:
        self._watchers.discard(fd)
        self._clients.pop(fd).close()
        for pid, (owner, _) in list(self._executions.items()):
            if owner == fd:
                os.killpg(pid, signal.SIGKILL)
                self._executions[pid] = (-1, 0)


def _oom_kills(path: str) -> int:
    """How often the kernel killed for lack of memory, from a group's v1 `memory.oom_control` or v2 `memory.events`."""
    if not path:
        return 0
    try:
        with open(path, encoding="ascii") as file:  # noqa: PTH123
            lines = [line.split() for line in file]
    except OSError:
        return 0
    return sum(int(number) for name, number in lines if name == "oom_kill")


def _kill_group(path: str) -> None:
    try:
        with open(f"{path}/cgroup.kill", "w", encoding="ascii") as file:  # noqa: PTH123
            file.write("1")
        fd = os.open(f"{path}/cgroup.events", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return
    poll = select.poll()
    poll.register(fd, select.POLLPRI)
    deadline = time.monotonic() + 1.0
    while b"populated 1" in os.pread(fd, 256, 0) and time.monotonic() < deadline:
        poll.poll(20)
    os.close(fd)


def main() -> None:
    """Become the pod described by the `sandbox.json` of the directory in argv[1], for the node process argv[2].

    Returns (in the starting process) once the pod's first process answers on its socket; the
    starting process's exit status says whether it does.
    """
    directory = sys.argv[1]
    # A node process that comes after a killed one makes the pod anew: a first process still on its way from the
    # one before would get into its place, or come too late to be removed with it.
    kernel.die_with(int(sys.argv[2]))
    with open(f"{directory}/sandbox.json", encoding="utf-8") as file:  # noqa: PTH123
        sandbox = json.load(file)
    # Everything this process does from here on dies with the pod's group.
    container.enter_cgroup(f"{sandbox['cgroup']}/sandbox")
    if sandbox["cpu_cgroup"]:
        container.join_cgroup(sandbox["cpu_cgroup"])
    kernel.setns(f"/run/netns/{sandbox['netns']}", kernel.CLONE_NEWNET)
    own_pids = 0 if sandbox.get("host_pid") else kernel.CLONE_NEWPID
    kernel.unshare(own_pids | kernel.CLONE_NEWNS | kernel.CLONE_NEWUTS | kernel.CLONE_NEWIPC)
    reading, writing = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid:
        os.close(writing)
        sys.exit(0 if os.read(reading, 1) else 1)
    os.setsid()
    kernel.rename(NAME)
    kernel.adopt_orphans()
    # What is mounted in here stays in here; volumes that the node mounts and unmounts later come and go.
    kernel.mount("none", "/", "", kernel.MS_REC | kernel.MS_SLAVE)
    if os.path.ismount("/run/netns"):
        kernel.detach("/run/netns")  # or this pod would keep other pods' namespaces alive
    if own_pids:
        kernel.mount("proc", "/proc", "proc", kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC)
    socket.sethostname(sandbox["hostname"])
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    os.chdir(directory)  # a socket's path is at most 107 bytes; relative, the state may be anywhere
    listener.bind("shim.sock")
    os.chdir("/")
    listener.listen(16)
    shim = Shim(directory, listener)
    os.write(writing, b"1")
    os.close(writing)
    shim.run()
