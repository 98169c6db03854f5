"""`stormdrill agent`: the arguments and the way in, to a running agent."""

from __future__ import annotations

import argparse

from stormdrill.agent.access import in_cluster, of_kubeconfig
from stormdrill.agent.service import Options, run
from stormdrill.errors import ExitCode, InputError


def agent(arguments: argparse.Namespace) -> int:
    """Be the agent of one node until told to end."""
    if arguments.context and not arguments.kubeconfig:
        raise InputError("--context needs --kubeconfig")
    access = of_kubeconfig(arguments.kubeconfig, arguments.context) if arguments.kubeconfig else in_cluster()
    run(
        Options(
            arguments.node,
            arguments.state,
            arguments.cgroup,
            listen(arguments.listen),
            _labels(arguments.spare),
        ),
        access,
    )
    return ExitCode.PASS


def listen(text: str) -> tuple[str, int]:
    """`ADDRESS:PORT`, `[ADDRESS]:PORT` or `:PORT`. InputError otherwise."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:
        raise InputError(f"--listen: not ADDRESS:PORT: {text!r}")
    return host.strip("[]") or "0.0.0.0", int(port)


def _labels(texts: list[str]) -> dict[str, str]:
    pairs = [text.partition("=") for text in texts]
    if wrong := [text for text, (key, equals, _) in zip(texts, pairs, strict=True) if not key or not equals]:
        raise InputError(f"--spare: not LABEL=VALUE: {wrong[0]!r}")
    return {key: value for key, _, value in pairs}
