"""The dependencies for route functions."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException, Request, Response, Security
from fastapi.security import APIKeyCookie, HTTPBearer
from fastapi.security.base import SecurityBase

from .client import open_latchkey
from .gate import NO_STORE, Denial, Gate
from .models import Identity, ProblemBody
from .settings import Settings

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


@asynccontextmanager
async def latchkey_lifespan(app: FastAPI, settings: Settings) -> AsyncIterator[None]:
    """Gives `app` its connections to latchkey; enter it in the app's lifespan."""
    async with open_latchkey(settings) as latchkey:
        app.state.latchkey_gate = Gate(latchkey, settings.allowed_origins)
        yield


class _Scheme(SecurityBase):
    """A scheme for the OpenAPI document. FastAPI names one for each dependency."""

    def __init__(self, scheme: APIKeyCookie | HTTPBearer) -> None:
        self.model = scheme.model
        self.scheme_name = scheme.scheme_name


class _Bearer(_Scheme):
    """Declares the other scheme. `Authorization` itself is read with the cookie, byte-exactly."""

    async def __call__(self) -> None:
        return None


_Declared = Annotated[None, Security(_Bearer(_bearer_scheme))]


class _Required(_Scheme):
    async def __call__(self, request: Request, response: Response, _bearer: _Declared = None) -> Identity:
        """Who is signed in; 401 for nobody, 503 when latchkey cannot tell, 403 for a forged request."""
        response.headers.update(NO_STORE)
        try:
            return await _gate_of(request).require(request.method, request.scope["headers"])
        except Denial as denial:
            raise _http_exception(denial) from denial


class _Optional(_Scheme):
    async def __call__(self, request: Request, response: Response, _bearer: _Declared = None) -> Identity | None:
        """Who is signed in, or None; 503 and 403 as `required`. A visitor without credentials costs no call."""
        response.headers.update(NO_STORE)
        try:
            return await _gate_of(request).recognize(request.method, request.scope["headers"])
        except Denial as denial:
            raise _http_exception(denial) from denial


def _gate_of(request: Request) -> Gate:
    gate = getattr(request.app.state, "latchkey_gate", None)
    if not isinstance(gate, Gate):
        raise RuntimeError("enter latchkey_lifespan(app, settings) in this app's lifespan")
    return gate


def _http_exception(denial: Denial) -> HTTPException:
    return HTTPException(denial.status, denial.detail, denial.headers)


required = _Required(_cookie_scheme)
"""For `Depends`: who is signed in; 401 for nobody, 503 when latchkey cannot tell, 403 for a forged request."""

optional = _Optional(_cookie_scheme)
"""For `Depends`: who is signed in, or None; 503 and 403 as `required`. A visitor without credentials costs no call."""

SignedIn = Annotated[Identity, Depends(required)]
MaybeSignedIn = Annotated[Identity | None, Depends(optional)]
