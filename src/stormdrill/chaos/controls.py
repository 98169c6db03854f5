"""The Chaos Toolkit control that ties an experiment to its supervisor.

Under `stormdrill run` the supervisor started Chaos Toolkit and told it its socket. Under plain `chaos run`
nobody did: this control starts the same supervisor as a child and waits for it, and the verdict decides what
`chaos run` exits with (0 for pass, 1 for anything else).

InterruptExecution is the only exception of a control that Chaos Toolkit does not swallow.
"""

from __future__ import annotations

from typing import Any

from chaoslib.exceptions import InterruptExecution

from stormdrill.chaos import client, standalone
from stormdrill.errors import StormdrillError


def _ask(op: str, **arguments: Any) -> Any:
    try:
        return client.call(op, **arguments)
    except StormdrillError as error:
        raise InterruptExecution(str(error)) from None


def before_experiment_control(context: dict[str, Any], **_: Any) -> None:
    """Wait until the load runs and the steady phase is over."""
    if not client.attached():
        try:
            standalone.start(context)
        except StormdrillError as error:
            raise InterruptExecution(str(error)) from None
    _ask("await_steady")


def after_hypothesis_control(context: dict[str, Any], state: dict[str, Any] | None, **_: Any) -> None:
    """Report what the steady-state hypothesis gave (before and after the method)."""
    probes = [
        {"name": probe["activity"]["name"], "status": probe["status"], "output": probe.get("output")}
        for probe in (state or {}).get("probes", [])
    ]
    met = bool(state and state["steady_state_met"])
    _ask("hypothesis", title=context.get("title", ""), met=met, probes=probes)


def before_method_control(context: dict[str, Any], **_: Any) -> None:
    """The first fault is next."""
    _ask("method_begins", activities=len(context.get("method", [])))


def before_activity_control(context: dict[str, Any], **_: Any) -> None:
    """No further activity once the run has to end: an action's own exception would only fail that action."""
    _ask("may_go_on", activity=context.get("name", ""))


def after_activity_control(context: dict[str, Any], state: dict[str, Any] | None, **_: Any) -> None:
    """Report an activity of the experiment that failed, whoever provides it."""
    if state and state.get("status") != "succeeded":
        lines = state.get("exception") or [""]
        _ask("activity_failed", activity=context.get("name", ""), error=str(lines[-1]).strip())


def after_method_control(context: dict[str, Any], state: list[dict[str, Any]] | None, **_: Any) -> None:
    """Wait until the estate is as before, or the limit for that has passed.

    Chaos Toolkit also comes here when it was interrupted: then fewer activities were played than there are.
    """
    _ask("method_ended", played=len(state or []), planned=len(context.get("method", [])))


def after_experiment_control(context: dict[str, Any], state: dict[str, Any], **_: Any) -> None:  # noqa: ARG001
    """Hand over the journal; under plain `chaos run`, wait for the verdict and make the exit tell it."""
    _ask("finish", journal=state)
    if standalone.running():
        state["status"] = "failed"  # unless the verdict says otherwise: waiting for it can be interrupted
        if standalone.wait() == 0:
            state["status"] = "completed"
