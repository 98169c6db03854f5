"""Errors as Kubernetes Status objects: code, reason, message and details in one exception.

Shapes follow the recorded answers of a real API server (topics 02, 05, 08, 18): 404 and 409 name
the plural resource, 422 names the Kind, and some errors have no `details` at all.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from stormlab.api.kinds import Kind

Details = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Cause:
    """One invalid field: `reason` is Kubernetes' cause type, `field` its path."""

    reason: str
    field: str
    message: str

    def as_dict(self) -> dict[str, str]:
        """Return the cause as it stands in `details.causes`."""
        return {"reason": self.reason, "message": self.message, "field": self.field}


def required(field: str, why: str = "") -> Cause:
    """Return the cause of a field that is missing."""
    return Cause("FieldValueRequired", field, "Required value" + (f": {why}" if why else ""))


def invalid_value(field: str, value: object, why: str) -> Cause:
    """Return the cause of a field whose value breaks a rule."""
    shown = json.dumps(value, ensure_ascii=False) if isinstance(value, str) else str(value)
    return Cause("FieldValueInvalid", field, f"Invalid value: {shown}: {why}")


def unsupported(field: str, value: object, allowed: Iterable[str]) -> Cause:
    """Return the cause of a value outside an enumeration."""
    names = ", ".join(f'"{name}"' for name in allowed)
    shown = f'"{value}"' if isinstance(value, str) else str(value)
    return Cause("FieldValueNotSupported", field, f"Unsupported value: {shown}: supported values: {names}")


def forbidden_field(field: str, why: str) -> Cause:
    """Return the cause of a field that may not be set or changed."""
    return Cause("FieldValueForbidden", field, f"Forbidden: {why}")


def duplicate(field: str, value: str) -> Cause:
    """Return the cause of a value that must be unique and is not."""
    return Cause("FieldValueDuplicate", field, f'Duplicate value: "{value}"')


class ApiError(Exception):
    """A request that failed; `body` is the Status the client gets."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        details: Details | None = None,
        *,
        retry_after_s: int | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details
        self.retry_after_s = retry_after_s
        self.metadata = dict(metadata or {})

    @property
    def body(self) -> dict[str, Any]:
        """Return the Status object."""
        status: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": self.metadata,
            "status": "Failure",
            "message": self.message,
        }
        if self.reason:
            status["reason"] = self.reason
        details = None if self.details is None else dict(self.details)
        if self.retry_after_s is not None:
            details = {**(details or {}), "retryAfterSeconds": self.retry_after_s}
        if details is not None:
            status["details"] = details
        status["code"] = self.code
        return status


def about(kind: Kind, name: str = "", *, use_kind: bool = False, subresource: str = "") -> Details:
    """Return `details` naming an object: plural resource by default, Kind when `use_kind`."""
    details: Details = {}
    if name:
        details["name"] = name
    if kind.group:
        details["group"] = kind.group
    shown = kind.kind if use_kind else kind.plural
    details["kind"] = f"{shown}/{subresource}" if subresource else shown
    return details


def qualified(kind: Kind, subresource: str = "") -> str:
    """Return `deployments.apps`, the name messages use."""
    resource = f"{kind.plural}/{subresource}" if subresource else kind.plural
    return f"{resource}.{kind.group}" if kind.group else resource


def not_found(kind: Kind, name: str, subresource: str = "") -> ApiError:
    """Return 404 for an object that does not exist."""
    message = f'{qualified(kind, subresource)} "{name}" not found'
    return ApiError(404, "NotFound", message, about(kind, name, subresource=subresource))


def no_such_resource() -> ApiError:
    """Return 404 for a resource a served group does not have."""
    return ApiError(404, "NotFound", "the server could not find the requested resource", {})


def method_not_allowed() -> ApiError:
    """Return 405."""
    message = "the server does not allow this method on the requested resource"
    return ApiError(405, "MethodNotAllowed", message, {})


def already_exists(kind: Kind, name: str, *, deleting: bool = False) -> ApiError:
    """Return 409 for a name that is taken."""
    prefix = "object is being deleted: " if deleting else ""
    message = f'{prefix}{qualified(kind)} "{name}" already exists'
    return ApiError(409, "AlreadyExists", message, about(kind, name))


def conflict(kind: Kind, name: str, why: str | None = None, *, subresource: str = "") -> ApiError:
    """Return 409 for an update that lost a race or met a failed precondition."""
    why = why or "the object has been modified; please apply your changes to the latest version and try again"
    message = f'Operation cannot be fulfilled on {qualified(kind, subresource)} "{name}": {why}'
    return ApiError(409, "Conflict", message, about(kind, name, subresource=subresource))


def bad_request(message: str) -> ApiError:
    """Return 400."""
    return ApiError(400, "BadRequest", message)


def internal(message: str) -> ApiError:
    """Return 500 the way Kubernetes reports errors that carry no reason."""
    return ApiError(500, "", message)


def not_implemented(message: str) -> ApiError:
    """Return 501: a thing Kubernetes has and the lab does not build."""
    return ApiError(501, "NotImplemented", message, {})


def forbidden(kind: Kind, name: str, why: str, causes: Iterable[Cause] = ()) -> ApiError:
    """Return 403 for an object an admission rule refuses."""
    details = about(kind, name)
    if listed := [cause.as_dict() for cause in causes]:
        details["causes"] = listed
    return ApiError(403, "Forbidden", f'{qualified(kind)} "{name}" is forbidden: {why}', details)


def invalid(group: str, kind: str, name: str, causes: list[Cause]) -> ApiError:
    """Return 422 with every invalid field."""
    # The message says a thing once, however often it is a cause.
    told = list(dict.fromkeys(f"{cause.field}: {cause.message}" for cause in causes))
    shown = f"{kind}.{group}" if group else kind
    text = told[0] if len(told) == 1 else "[" + ", ".join(told) + "]"
    details: Details = {}
    if name:
        details["name"] = name
    if group:
        details["group"] = group
    if kind:
        details["kind"] = kind
    details["causes"] = [cause.as_dict() for cause in causes]
    return ApiError(422, "Invalid", f'{shown} "{name}" is invalid: {text}', details)


def invalid_patch(shown: str, why: str) -> ApiError:
    """Return 422 for a patch whose result cannot be decoded: empty name, field `patch`."""
    return invalid("", "", "", [invalid_value("patch", shown, why)])


def rejected() -> ApiError:
    """Return 422 for a JSON patch that does not apply."""
    return ApiError(422, "Invalid", "the server rejected our request due to an error in our request", {})


def expired(message: str, metadata: Mapping[str, Any] | None = None) -> ApiError:
    """Return 410."""
    return ApiError(410, "Expired", message, metadata=metadata)


def success(details: Details | None, code: int | None = None) -> dict[str, Any]:
    """Return a Status Success; DELETE has no `code`, eviction and binding have 201."""
    status: dict[str, Any] = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
    if details is not None:
        status["details"] = details
    if code is not None:
        status["code"] = code
    return status
