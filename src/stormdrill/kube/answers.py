"""What an API server answered, or that it did not: one exception that says it in a sentence."""

from __future__ import annotations

import json
from typing import Any

from stormdrill.connection import why
from stormdrill.errors import TargetError


class ApiError(TargetError):
    """The API server answered with an error. `status` is the HTTP status, `reason` the Status' own."""

    def __init__(self, message: str, status: int, reason: str, body: Any = None) -> None:
        self.status = status
        self.reason = reason
        self.body = body
        super().__init__(message)

    @property
    def missing(self) -> bool:
        """The object (or its kind) does not exist."""
        return self.status == 404

    @property
    def conflict(self) -> bool:
        """Somebody else changed or made the object first, or it has another uid."""
        return self.status == 409


def api_error(who: str, method: str, path: str, status: int, body: bytes) -> ApiError:
    """The error for an answer that is not 2xx; `who` names the cluster."""
    try:
        parsed = json.loads(body)
    except ValueError:
        parsed = None
    said = (
        parsed.get("message", "") if isinstance(parsed, dict) else body[:200].decode(errors="replace").strip()
    )
    reason = str(parsed.get("reason", "")) if isinstance(parsed, dict) else ""
    hint = {401: "; are the credentials of this context right?", 403: "; this account may not do that"}.get(
        status, ""
    )
    message = f"{who}: {method} {path}: {status} {reason} {said}".rstrip() + hint
    return ApiError(message, status, reason, parsed)


def no_answer(who: str, server: str, error: Exception) -> TargetError:
    """The error for a server that did not answer as HTTP at all."""
    return TargetError(f"{who}: API server {server} cannot be reached: {why(error)}")
