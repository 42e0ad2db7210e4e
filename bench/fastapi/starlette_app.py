"""The same answer by Starlette alone: to everybody, and to a session by the middleware."""

import os

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from latchkey_fastapi import LatchkeyMiddleware, Settings


async def plain(_request: Request) -> JSONResponse:
    return JSONResponse({"message": "hello"})


async def protected(request: Request) -> JSONResponse:
    assert request.state.user.id
    return JSONResponse({"message": "hello"})


app = Starlette(
    routes=[Route("/plain", plain), Route("/protected", protected)],
    middleware=[
        Middleware(
            LatchkeyMiddleware,
            settings=Settings(latchkey_url=os.environ["LATCHKEY_URL"]),
            protects=lambda path: path == "/protected",
            ignores=lambda path: path == "/plain",
        )
    ],
)
