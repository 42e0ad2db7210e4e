"""Where latchkey answers, as `LATCHKEY_URL` says it."""

import re
from dataclasses import dataclass

_HTTP = re.compile(
    r"(?P<scheme>https?)://(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>(?:/[A-Za-z0-9._~%!$&'()*+,;=:@-]*)*)"
)
_UNIX = re.compile(r"unix:(?P<path>/[^/\x00-\x1f\x7f][^\x00-\x1f\x7f]*)")
_MAX_SOCKET_PATH_BYTES = 107  # sun_path of Linux, without its NUL
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Address:
    """Where to connect to, and what a request says of it."""

    host: str
    """A name or an address; empty for a socket of the file system."""
    port: int
    socket_path: str
    """Empty where it is reached by TCP."""
    has_tls: bool
    authority: str
    """For the `Host` field."""
    base_path: str
    """Before `/api/auth/verify`; empty, or from a slash on."""


def parse_address(url: str) -> Address:
    """Understands `http://host:port`, `https://host` and `unix:/path`; raises `ValueError` for anything else.

    User info, queries and fragments are refused: none of them has a meaning here.
    """
    if match := _UNIX.fullmatch(url):
        path = match["path"]
        if len(path.encode()) > _MAX_SOCKET_PATH_BYTES:
            raise ValueError(f"a socket's path has at most {_MAX_SOCKET_PATH_BYTES} bytes")
        return Address("", 0, path, has_tls=False, authority="localhost", base_path="")
    if not (match := _HTTP.fullmatch(url)):
        raise ValueError(
            "write it as http://host:port, https://host or unix:/path/to.sock, "
            "in ASCII and without user info, query or fragment"
        )
    scheme, host = match["scheme"], match["host"]
    port = int(match["port"] or _DEFAULT_PORTS[scheme])
    if not 0 < port < 65536:
        raise ValueError("a port is between 1 and 65535")
    try:
        host.encode("idna")
    except UnicodeError:
        # Else it would be raised at every request, by whatever looks the name up.
        raise ValueError(f"{host} is no host: a part of a name has 1 to 63 characters") from None
    authority = host if port == _DEFAULT_PORTS[scheme] else f"{host}:{port}"
    return Address(host.strip("[]"), port, "", scheme == "https", authority, match["path"].rstrip("/"))
