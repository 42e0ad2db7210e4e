"""One answer from three routes: to everybody, to a session by latchkey-fastapi, and by httpx as one would write it."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import httpx
from fastapi import Depends, FastAPI, HTTPException, Request

from latchkey_fastapi import Settings, SignedIn, latchkey_lifespan

LATCHKEY_URL = os.environ["LATCHKEY_URL"]


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    # Generous to httpx: one client for all, which keeps its connections, and cookies too, if it is sent any.
    limits = httpx.Limits(max_connections=10, max_keepalive_connections=10)
    async with (
        latchkey_lifespan(app, Settings(latchkey_url=LATCHKEY_URL)),
        httpx.AsyncClient(base_url=LATCHKEY_URL, trust_env=False, timeout=7, limits=limits) as http,
    ):
        app.state.http = http
        yield


async def signed_in_by_httpx(request: Request) -> Any:
    cookie = request.headers.get("cookie", "")
    answer = await request.app.state.http.get("/api/auth/verify", headers={"cookie": cookie})
    if answer.status_code != 200:
        raise HTTPException(answer.status_code)
    return answer.json()


app = FastAPI(lifespan=lifespan, openapi_url=None)


@app.get("/plain")
async def plain() -> dict[str, str]:
    return {"message": "hello"}


@app.get("/protected")
async def protected(visitor: SignedIn) -> dict[str, str]:
    assert visitor.user.id
    return {"message": "hello"}


@app.get("/httpx")
async def by_httpx(verified: Annotated[Any, Depends(signed_in_by_httpx)]) -> dict[str, str]:
    assert verified["user"]["id"]
    return {"message": "hello"}
