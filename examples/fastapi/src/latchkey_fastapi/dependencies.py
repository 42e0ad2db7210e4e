"""The dependencies for route functions."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException, Request, Response, Security
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer

from .client import Latchkey, LatchkeyUnavailable, open_latchkey
from .credentials import Credentials, read_credentials
from .models import Identity, ProblemBody, Refusal
from .origins import is_allowed
from .settings import Settings

_logger = logging.getLogger(__name__)
_NO_STORE = {"Cache-Control": "no-store"}

_cookie_scheme = APIKeyCookie(
    name="better-auth.session_token",
    scheme_name="sessionCookie",
    description="latchkey's session cookie; `__Secure-better-auth.session_token` where latchkey is served by https.",
    auto_error=False,
)
_bearer_scheme = HTTPBearer(
    scheme_name="bearer",
    description="The signed cookie value, where latchkey runs with `LATCHKEY_BEARER=signed`.",
    auto_error=False,
)

AUTH_RESPONSES: dict[int | str, dict[str, Any]] = {
    401: {"model": ProblemBody, "description": "No live session"},
    403: {"model": ProblemBody, "description": "Unsafe method with a cookie, from an origin not allowed"},
    503: {"model": ProblemBody, "description": "latchkey cannot be asked; see Retry-After"},
}
"""For `responses=` of routes that use `required`."""

OPTIONAL_AUTH_OPENAPI: dict[str, Any] = {"security": [{}]}
"""For `openapi_extra=` of routes that use `optional`: adds "or nobody" to the schemes."""


@dataclass(frozen=True, slots=True)
class _Gate:
    latchkey: Latchkey
    allowed_origins: frozenset[str]


@asynccontextmanager
async def latchkey_lifespan(app: FastAPI, settings: Settings) -> AsyncIterator[None]:
    """Gives `app` its connection pool to latchkey; enter it in the app's lifespan."""
    async with open_latchkey(settings) as latchkey:
        app.state.latchkey_gate = _Gate(latchkey, frozenset(settings.allowed_origins))
        yield


async def _gate(request: Request) -> _Gate:
    gate = getattr(request.app.state, "latchkey_gate", None)
    if not isinstance(gate, _Gate):
        raise RuntimeError("enter latchkey_lifespan(app, settings) in this app's lifespan")
    return gate


async def _credentials(
    request: Request,
    gate: Annotated[_Gate, Depends(_gate)],
    # Read below, byte-exactly; these two are for the OpenAPI document.
    _cookie: Annotated[str | None, Security(_cookie_scheme)],
    _bearer: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer_scheme)],
) -> Credentials:
    credentials = read_credentials(request.headers)
    if credentials.cookie is not None and not is_allowed(request.method, request.headers, gate.allowed_origins):
        raise _problem(403, "ORIGIN_NOT_ALLOWED", "This origin may not use the session cookie here.", {})
    return credentials


async def required(
    response: Response,
    gate: Annotated[_Gate, Depends(_gate)],
    credentials: Annotated[Credentials, Depends(_credentials)],
) -> Identity:
    """Who is signed in; 401 for nobody, 503 when latchkey cannot tell, 403 for a forged request."""
    response.headers.update(_NO_STORE)
    verdict = await _verify(gate.latchkey, credentials)
    if isinstance(verdict, Refusal):
        raise _problem(401, verdict.code, verdict.message, {"WWW-Authenticate": verdict.challenge})
    return verdict


async def optional(
    response: Response,
    gate: Annotated[_Gate, Depends(_gate)],
    credentials: Annotated[Credentials, Depends(_credentials)],
) -> Identity | None:
    """Who is signed in, or None; 503 and 403 as `required`. A visitor without credentials costs no call."""
    response.headers.update(_NO_STORE)
    if not credentials:
        return None
    verdict = await _verify(gate.latchkey, credentials)
    return None if isinstance(verdict, Refusal) else verdict


async def _verify(latchkey: Latchkey, credentials: Credentials) -> Identity | Refusal:
    try:
        return await latchkey.verify(credentials)
    except LatchkeyUnavailable as error:
        _logger.warning("latchkey cannot be asked: %s", error)
        headers = {"Retry-After": str(error.retry_after)}
        raise _problem(503, "AUTH_UNAVAILABLE", "Sessions cannot be checked now.", headers) from error


def _problem(status: int, code: str, message: str, headers: dict[str, str]) -> HTTPException:
    return HTTPException(status, {"code": code, "message": message}, {**_NO_STORE, **headers})


SignedIn = Annotated[Identity, Depends(required)]
MaybeSignedIn = Annotated[Identity | None, Depends(optional)]
