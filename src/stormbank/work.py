"""What serving one operation consists of: reading its request at once, and working when there is a slot."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from stormbank.deadline import Deadline

Done = tuple[int, dict[str, Any]]
"""Status and fields of an answer."""

Work = Callable[[Deadline], Awaitable[Done]]
Reader = Callable[[int, web.BaseRequest], Awaitable[Work]]
"""Reads the request of a customer and returns the work to do; Problem for one that makes no sense."""
