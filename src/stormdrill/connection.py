"""Why a connection failed, in a few words a person understands, out of the libraries' nested exceptions."""

from __future__ import annotations

import os
import re
import socket

import urllib3.exceptions

_ERRNO = re.compile(r"\[Errno (-?\d+)\]")


_WORDS = (
    (re.compile("CERTIFICATE_VERIFY_FAILED"), "its certificate is not signed by the authority we were given"),
    (re.compile("WRONG_VERSION_NUMBER|record layer failure"), "it does not speak TLS"),
    (re.compile("timed out", re.IGNORECASE), "no answer in time"),
)


def why(error: BaseException) -> str:
    """`Connection refused`, `no answer in time`... for exceptions of urllib3, requests and sockets."""
    inner = _innermost(error)
    text = " ".join(str(inner).split()) or type(inner).__name__
    if isinstance(inner, urllib3.exceptions.NameResolutionError | socket.gaierror):
        return "unknown host"
    if match := _ERRNO.search(text):
        return os.strerror(int(match[1]))
    return next((words for pattern, words in _WORDS if pattern.search(text)), text)


def _innermost(error: BaseException) -> BaseException:
    """Down to what really happened: the `reason` of urllib3, the only argument of requests, the cause."""
    while True:
        inner = getattr(error, "reason", None)
        if not isinstance(inner, BaseException):
            inner = next((argument for argument in error.args if isinstance(argument, BaseException)), None)
        if not isinstance(inner, BaseException) or isinstance(error, urllib3.exceptions.NameResolutionError):
            return error
        error = inner
