"""The part of a request that latchkey needs to see."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

SESSION_COOKIES = (b"better-auth.session_token", b"__Secure-better-auth.session_token")
MAX_CREDENTIAL_BYTES = 4096

# Anything else would be a 400 or 431 from latchkey, an outage by the looks of it; it cannot be a session anyway.
_SENDABLE = re.compile(rb"[\x20-\x7e]{0,%d}" % MAX_CREDENTIAL_BYTES)


@dataclass(frozen=True, slots=True)
class Credentials:
    """Byte-exact headers for latchkey, kept out of `repr` and logs. Raises `ValueError` for CR, LF or NUL in them."""

    cookie: bytes | None = None
    authorization: bytes | None = None

    def __post_init__(self) -> None:
        for value in (self.cookie, self.authorization):
            if value is not None and (b"\r" in value or b"\n" in value or b"\0" in value):
                # They would end the header, and begin another or a second request.
                raise ValueError("a credential holds no CR, LF or NUL")

    def __repr__(self) -> str:
        return f"Credentials(cookie={self.cookie is not None}, authorization={self.authorization is not None})"

    def __bool__(self) -> bool:
        return self.cookie is not None or self.authorization is not None

    def lines(self) -> bytes:
        """The header lines to send, each with its CR LF; nothing for an anonymous visitor."""
        cookie = b"" if self.cookie is None else b"Cookie: %b\r\n" % self.cookie
        return cookie if self.authorization is None else b"%bAuthorization: %b\r\n" % (cookie, self.authorization)

    def digest(self) -> bytes:
        """SHA-256 that identifies them, so that a cache holds no credential."""
        parts = [b"-" if part is None else b"+" + part for part in (self.cookie, self.authorization)]
        return hashlib.sha256(b"\n".join(parts)).digest()  # neither part can hold a line feed


def read_credentials(headers: Sequence[tuple[bytes, bytes]]) -> Credentials:
    """Takes the session cookie and `Authorization` out of a request's headers, as ASGI has them, and nothing else.

    Starlette's `request.cookies` unquotes values and keeps the last of duplicates, where latchkey, like BetterAuth,
    takes the first: hence the parsing by hand.
    """
    cookies = b""
    authorization: bytes | None = None
    for name, value in headers:
        if name == b"cookie":
            cookies = cookies + b";" + value if cookies else value
        elif name == b"authorization" and authorization is None:
            authorization = value.strip()
    return Credentials(
        cookie=_session_cookies(cookies) if cookies else None,
        authorization=authorization if authorization and _SENDABLE.fullmatch(authorization) else None,
    )


def _session_cookies(header: bytes) -> bytes | None:
    first: dict[bytes, bytes] = {}
    for pair in header.split(b";"):
        name, equals, value = pair.partition(b"=")
        if equals and name.strip() in SESSION_COOKIES:
            first.setdefault(name.strip(), value.strip())
    # Both names may be there on localhost; latchkey knows which one is its own.
    sendable = [name + b"=" + value for name, value in first.items() if _SENDABLE.fullmatch(value)]
    return b"; ".join(sendable) or None
