"""Protection against cross-site request forgery for requests that a cookie authenticates."""

import re
from collections.abc import Collection, Sequence

from starlette.datastructures import Headers

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})

# As browsers serialise it: lower case, IDNA, no default port.
_ORIGIN = re.compile(r"(https?)://((?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?)")
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


def normalize_origin(value: str) -> str:
    """Returns a configured origin as browsers send it; raises `ValueError` for anything but an exact origin."""
    match = _ORIGIN.fullmatch(value.strip().lower().rstrip("/"))
    if match is None:
        raise ValueError(f"{value!r} is not an origin: write scheme, host and port only, e.g. https://docs.example.com")
    scheme, host = match.groups()
    return f"{scheme}://{host.removesuffix(_DEFAULT_PORTS[scheme])}"


def is_allowed(method: str, raw_headers: Sequence[tuple[bytes, bytes]], allowed_origins: Collection[str]) -> bool:
    """Whether a cookie may authenticate this request, whose headers are as ASGI has them.

    `Origin` decides, without one the `Referer`'s origin; a browser's own `Sec-Fetch-Site: same-origin`, which no page
    can set, lets this API's `/docs` through.
    """
    if method in SAFE_METHODS:
        return True
    headers = Headers(raw=list(raw_headers))
    if headers.getlist("sec-fetch-site") == ["same-origin"]:
        return True
    origins = headers.getlist("origin")
    if origins:
        return len(origins) == 1 and origins[0] in allowed_origins
    referer = headers.get("referer", "")
    match = _ORIGIN.match(referer)
    # What follows must end the host: "http://localhost:3000@evil.example" starts like an allowed one.
    return match is not None and referer[match.end() :][:1] in ("", "/", "?", "#") and match[0] in allowed_origins
