"""The same for Starlette, or any other ASGI app, without FastAPI's routes."""

from collections.abc import Callable, MutableMapping
from typing import Any, Literal, TypeAlias

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .client import open_latchkey
from .gate import Denial, Gate
from .models import Identity
from .settings import Settings

_Kind: TypeAlias = Literal["http", "websocket"]
PathPredicate: TypeAlias = Callable[[str], bool]
"""Whether it concerns a path, as `scope["path"]` has it: decoded, without the query."""

# RFC 6455 §7.4.1 and the registry behind it: a rule was broken; try again later.
_CLOSE_CODES = {401: 1008, 403: 1008, 503: 1013}


class LatchkeyMiddleware:
    """Puts who is signed in into `request.state.user` and `request.state.session`, both None for nobody.

    Its connections are opened when the server starts the app up (ASGI's lifespan), so it belongs to the app itself, not
    to one that is mounted in it. A refusal is what the dependencies answer: 401, 503, and 403 for an unsafe method with
    the cookie from an origin that is not allowed. A WebSocket with the cookie must come from an allowed origin too, as
    any page can open one; it is refused before it is accepted. CORS goes around this, or no page can read the refusals.

    Args:
        app: what it goes around.
        settings: as for FastAPI.
        protects: paths that need somebody; none by default.
        ignores: paths at which nobody is looked for, such as health checks and pictures; their state has no user.
    """

    def __init__(
        self,
        app: ASGIApp,
        settings: Settings,
        *,
        protects: PathPredicate | None = None,
        ignores: PathPredicate | None = None,
    ) -> None:
        self._app = app
        self._settings = settings
        self._protects = protects
        self._ignores = ignores
        self._gate: Gate | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "lifespan":
            await self._live(scope, receive, send)
        elif kind not in ("http", "websocket") or (self._ignores is not None and self._ignores(scope["path"])):
            await self._app(scope, receive, send)
        else:
            await self._check(kind, scope, receive, send)

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with open_latchkey(self._settings) as latchkey:
            self._gate = Gate(latchkey, self._settings.allowed_origins)
            try:
                await self._app(scope, receive, send)
            finally:
                self._gate = None

    async def _check(self, kind: _Kind, scope: Scope, receive: Receive, send: Send) -> None:
        if self._gate is None:
            raise RuntimeError("the server did not start this app up: it must speak ASGI's lifespan")
        # A WebSocket begins with a GET, but what is sent over it changes things.
        method = scope["method"] if kind == "http" else "WEBSOCKET"
        is_protected = self._protects is not None and self._protects(scope["path"])
        try:
            judge = self._gate.require if is_protected else self._gate.recognize
            identity: Identity | None = await judge(method, scope["headers"])
        except Denial as denial:
            await _refuse(denial, kind, scope, receive, send)
            return
        state: MutableMapping[str, Any] = scope.setdefault("state", {})
        state["user"] = identity.user if identity else None
        state["session"] = identity.session if identity else None
        await self._app(scope, receive, _not_stored(send) if kind == "http" else send)


def _not_stored(send: Send) -> Send:
    """What the app says about caching itself stays."""

    async def send_with_default(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = list(message.get("headers", ()))
            if "cache-control" not in Headers(raw=headers):
                message = {**message, "headers": [*headers, (b"cache-control", b"no-store")]}
        await send(message)

    return send_with_default


async def _refuse(denial: Denial, kind: _Kind, scope: Scope, receive: Receive, send: Send) -> None:
    response = JSONResponse({"detail": denial.detail}, denial.status, denial.headers)
    if kind == "http" or "websocket.http.response" in scope.get("extensions", {}):
        await response(scope, receive, send)
    else:
        await send({"type": "websocket.close", "code": _CLOSE_CODES[denial.status]})
