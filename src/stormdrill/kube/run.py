"""Exec: a command in a container over WebSocket (v4.channel.k8s.io), with a deadline for the whole.

The first byte of every message is its channel: 1 standard output, 2 standard error, 3 the Status at the end,
which carries the exit code.
"""

from __future__ import annotations

import json
import ssl
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import websocket

from stormdrill.errors import DeadlineError, TargetError
from stormdrill.kube.answers import ApiError, api_error
from stormdrill.kube.config import Access

_PROTOCOL = "v4.channel.k8s.io"
STDOUT, STDERR, STATUS = 1, 2, 3


@dataclass(frozen=True)
class ExecResult:
    """How a command ended and what it wrote."""

    code: int
    stdout: str
    stderr: str


def run(access: Access, path: str, container: str | None, command: list[str], timeout_s: float) -> ExecResult:
    """Run `command` and wait for its end.

    ApiError when the API refuses, TargetError when the connection is lost (the command may or may not have
    run: one that kills its own container ends so), DeadlineError after `timeout_s`.
    """
    end = time.monotonic() + timeout_s
    query = [("command", part) for part in command] + [("stdout", "true"), ("stderr", "true")]
    if container:
        query.append(("container", container))
    connection = open_stream(access, f"{path}?{urlencode(query)}", timeout_s)
    try:
        return _collect(connection, access.context, end, " ".join(command))
    finally:
        connection.close()


def open_stream(access: Access, target: str, timeout_s: float) -> Any:
    """The WebSocket of an exec. ApiError when the API refuses, TargetError when it cannot be reached."""
    configuration = access.client.configuration
    options: dict[str, Any] = {"cert_reqs": ssl.CERT_REQUIRED if configuration.verify_ssl else ssl.CERT_NONE}
    if not configuration.verify_ssl:
        options["check_hostname"] = False
    named = {
        "ca_certs": configuration.ssl_ca_cert,
        "certfile": configuration.cert_file,
        "keyfile": configuration.key_file,
        "server_hostname": configuration.tls_server_name,
    }
    options |= {name: value for name, value in named.items() if value}
    url = access.server.replace("http", "ws", 1) + target
    headers = [f"{name}: {value}" for name, value in access.authorization().items()]
    try:
        return websocket.create_connection(
            url, timeout=timeout_s, sslopt=options, header=headers, subprotocols=[_PROTOCOL], redirect_limit=0
        )
    except websocket.WebSocketBadStatusException as error:
        body = error.resp_body if isinstance(error.resp_body, bytes) else b""
        raise api_error(access.context, "EXEC", target.partition("?")[0], error.status_code, body) from None
    except (websocket.WebSocketException, OSError) as error:
        raise TargetError(
            f"{access.context}: exec at {access.server}: {' '.join(str(error).split())}"
        ) from None


def _collect(connection: Any, who: str, end: float, command: str) -> ExecResult:
    streams: dict[int, bytearray] = {STDOUT: bytearray(), STDERR: bytearray(), STATUS: bytearray()}
    while not streams[STATUS]:
        left = end - time.monotonic()
        if left <= 0:
            raise DeadlineError(f"{who}: `{command}` did not end in time")
        connection.settimeout(left)
        try:
            opcode, frame = connection.recv_data()
        except websocket.WebSocketTimeoutException:
            continue
        except (websocket.WebSocketException, OSError) as error:
            raise TargetError(f"{who}: connection lost during `{command}`: {error}") from None
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            raise TargetError(f"{who}: `{command}`: connection closed before the command's end was known")
        if frame and frame[0] in streams:
            streams[frame[0]] += frame[1:]
    code = exit_code(json.loads(streams[STATUS]), who, command)
    return ExecResult(
        code, streams[STDOUT].decode(errors="replace"), streams[STDERR].decode(errors="replace")
    )


def exit_code(status: dict[str, Any], who: str, command: str) -> int:
    """The command's exit code from the Status at the end; ApiError when it could not be run at all."""
    if status.get("status") == "Success":
        return 0
    for cause in (status.get("details") or {}).get("causes") or []:
        if cause.get("reason") == "ExitCode":
            return int(cause["message"])
    message = f"{who}: `{command}` could not be run: {status.get('message', status)}"
    raise ApiError(message, int(status.get("code", 500)), str(status.get("reason", "")), status)
