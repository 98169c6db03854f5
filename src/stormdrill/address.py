"""Web addresses as content files give them: what is wrong with one, before anybody connects to it."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

_URL = re.compile(r"https?://[^\s/]+(/\S*)?")


def trouble(url: str) -> str:
    """Why `url` is no address to connect to; empty when it is one."""
    if not _URL.fullmatch(url):
        return f"not an http(s) URL: {url}"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # a port that is no number or too large, brackets that do not close
        return f"not an address to connect to (is the port right?): {url}"
    if not parts.hostname or port == 0:
        return f"not an address to connect to (is the port right?): {url}"
    return ""
