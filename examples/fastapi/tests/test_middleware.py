"""The middleware around a Starlette app, on uvicorn and in Starlette's own client."""

import asyncio
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect
from support.api import assert_outage, open_api
from support.latchkey import COOKIE_NAME, ORIGIN, LatchkeyProcess
from support.stub import REFUSED, VERIFIED, Stub, always, http, never, stub_server

from latchkey_fastapi import LatchkeyMiddleware, Settings, User

SOURCE = Path(__file__).parent.parent / "src"
README = SOURCE.parent / "README.md"
COOKIE = {"Cookie": f"{COOKIE_NAME}=x", "Origin": ORIGIN}


async def show(request: Request) -> JSONResponse:
    user, session = request.state.user, request.state.session
    assert (user is None) == (session is None) and (user is None or isinstance(user, User))
    return JSONResponse({"user": user.id if user else None, "session": session.id if session else None})


async def cached(_request: Request) -> JSONResponse:
    return JSONResponse({}, headers={"Cache-Control": "private, max-age=1"})


async def health(request: Request) -> JSONResponse:
    return JSONResponse({"looked": hasattr(request.state, "user")})


async def talk(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text(websocket.state.user.name if websocket.state.user else "stranger")
    await websocket.close()


def create(settings: Settings) -> Starlette:
    return Starlette(
        routes=[
            Route("/open", show, methods=["GET", "POST"]),
            Route("/private/me", show, methods=["GET", "POST"]),
            Route("/cached", cached),
            Route("/health", health),
            WebSocketRoute("/open", talk),
            WebSocketRoute("/private/talk", talk),
        ],
        middleware=[
            Middleware(
                LatchkeyMiddleware,
                settings=settings,
                protects=lambda path: path.startswith("/private/"),
                ignores=lambda path: path == "/health",
            )
        ],
    )


def app_of_environment() -> Starlette:
    """For uvicorn's `--factory`."""
    return create(Settings())


@asynccontextmanager
async def open_starlette(stub: Stub, **changes: object) -> AsyncIterator[httpx.AsyncClient]:
    app = create(Settings.model_validate({"latchkey_url": stub.url, "verify_timeout_seconds": 20, **changes}))
    # The app's lifespan as a server runs it: the middleware's connections live as long.
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        async with running(app, listener) as url, httpx.AsyncClient(base_url=url, trust_env=False) as client:
            yield client


@asynccontextmanager
async def running(app: Starlette, listener: socket.socket) -> AsyncIterator[str]:
    """Serves `app` by uvicorn on this event loop."""
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started:
        assert not serving.done()
        await asyncio.sleep(0.005)
    try:
        yield "http://127.0.0.1:%d" % listener.getsockname()[1]
    finally:
        server.should_exit = True
        await serving


async def test_tells_who_is_signed_in() -> None:
    async with stub_server(always(http(200, VERIFIED))) as stub, open_starlette(stub) as client:
        for path in ("/open", "/private/me"):
            answer = await client.get(path, headers=COOKIE)
            assert (answer.status_code, answer.json()) == (200, {"user": "u1", "session": "s1"})
            assert answer.headers["cache-control"] == "no-store"
        cached = await client.get("/cached", headers=COOKIE)
        assert cached.headers.get_list("cache-control") == ["private, max-age=1"]
        assert stub.connections == 1


async def test_refuses_nobody_where_somebody_is_needed() -> None:
    async with stub_server(always(http(401, REFUSED, WWW_Authenticate="Bearer x"))) as stub:
        async with open_starlette(stub) as client, open_api(stub.url) as api:
            for headers in ({}, COOKIE):
                answer = await client.get("/private/me", headers=headers)
                same = await api.get("/me", headers=headers)
                assert (answer.status_code, answer.json()) == (401, same.json())
                for name in ("www-authenticate", "cache-control", "content-type"):
                    assert answer.headers[name] == same.headers[name]
                assert "set-cookie" not in answer.headers
                stranger = await client.get("/open", headers=headers)
                assert (stranger.status_code, stranger.json()) == (200, {"user": None, "session": None})


async def test_a_visitor_without_credentials_costs_no_call() -> None:
    async with stub_server(never) as stub, open_starlette(stub) as client:
        assert (await client.get("/open")).json() == {"user": None, "session": None}
        assert (await client.get("/health", headers=COOKIE)).json() == {"looked": False}
        assert stub.connections == 0


async def test_an_outage_signs_nobody_out() -> None:
    async with stub_server(always(http(500, REFUSED))) as stub, open_starlette(stub) as client:
        assert_outage(await client.get("/private/me", headers=COOKIE))
        assert_outage(await client.get("/private/me"))
        assert_outage(await client.get("/open", headers=COOKIE))
        stub.answer = always(http(429, Retry_After="7"))
        assert_outage(await client.get("/open", headers=COOKIE), "7")


@pytest.mark.parametrize("path", ["/open", "/private/me"])
async def test_refuses_what_another_site_makes_a_browser_send(path: str) -> None:
    async with stub_server(always(http(200, VERIFIED))) as stub, open_starlette(stub) as client:
        forged = await client.post(path, headers={**COOKIE, "Origin": "https://evil.example"})
        assert (forged.status_code, forged.json()["detail"]["code"]) == (403, "ORIGIN_NOT_ALLOWED")
        assert stub.heads == []
        assert (await client.post(path, headers=COOKIE)).status_code == 200
        assert (await client.get(path, headers={**COOKIE, "Origin": "https://evil.example"})).status_code == 200


@pytest.fixture
def client(latchkey: LatchkeyProcess) -> Iterator[TestClient]:
    with TestClient(create(Settings(latchkey_url=latchkey.url))) as client:
        yield client


def test_a_websocket_knows_who_is_there(client: TestClient, latchkey: LatchkeyProcess) -> None:
    ann = latchkey.sign_up("Ann")
    for path in ("/open", "/private/talk"):
        with client.websocket_connect(path, headers={**ann.cookie, "Origin": ORIGIN}) as websocket:
            assert websocket.receive_text() == "Ann"
    with client.websocket_connect("/open") as websocket:
        assert websocket.receive_text() == "stranger"


@pytest.mark.parametrize(
    ("path", "origin", "has_cookie", "status"),
    [
        ("/private/talk", ORIGIN, False, 401),
        ("/private/talk", "https://evil.example", True, 403),
        ("/open", "https://evil.example", True, 403),
        ("/open", None, True, 403),
    ],
)
def test_refuses_a_websocket_before_it_is_one(
    client: TestClient, latchkey: LatchkeyProcess, path: str, origin: str | None, has_cookie: bool, status: int
) -> None:
    headers = {**(latchkey.sign_up().cookie if has_cookie else {}), **({"Origin": origin} if origin else {})}
    with pytest.raises(WebSocketDenialResponse) as caught, client.websocket_connect(path, headers=headers):
        pass
    assert caught.value.status_code == status


@pytest.mark.parametrize(("origin", "code"), [("https://evil.example", 1008), (ORIGIN, 1013)])
def test_closes_a_websocket_where_the_server_cannot_send_a_refusal(origin: str, code: int) -> None:
    app = create(Settings(latchkey_url="http://127.0.0.1:9"))

    async def without_extension(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "extensions": {}}, receive, send)

    headers = {**COOKIE, "Origin": origin}
    with (
        TestClient(without_extension) as client,
        pytest.raises(WebSocketDisconnect) as caught,
        client.websocket_connect("/private/talk", headers=headers),
    ):
        pass
    assert caught.value.code == code


def test_says_that_it_was_not_started_up(latchkey: LatchkeyProcess) -> None:
    client = TestClient(create(Settings(latchkey_url=latchkey.url)))  # not entered: no lifespan
    with pytest.raises(RuntimeError, match="lifespan"):
        client.get("/open")


def test_the_app_in_the_readme(latchkey: LatchkeyProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    ann = latchkey.sign_up("Ann")
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    [code] = [block for block in blocks if "LatchkeyMiddleware" in block]
    monkeypatch.setenv("LATCHKEY_URL", latchkey.url)
    names: dict[str, Any] = {}
    exec(code, names)
    with TestClient(names["app"]) as client:
        assert client.get("/me", headers=ann.cookie).json() == {"name": "Ann"}
        assert client.get("/me").status_code == 401


def test_on_uvicorn_with_latchkey(latchkey: LatchkeyProcess, tmp_path: Path) -> None:
    ann = latchkey.sign_up()
    process = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "--factory", "test_middleware:app_of_environment", "--port", "0"],
        cwd=tmp_path,
        env={
            "PYTHONPATH": os.pathsep.join([str(SOURCE), str(Path(__file__).parent)]),
            "LATCHKEY_URL": latchkey.url,
            "PATH": os.environ["PATH"],
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    with process.stderr:
        try:
            url = next(found[1] for line in process.stderr if (found := re.search(r"running on (http://\S+)", line)))
            with httpx.Client(base_url=url, trust_env=False) as client:
                assert client.get("/private/me", headers=ann.cookie).json()["user"] == ann.user_id
                refused = client.get("/private/me")
                assert (refused.status_code, refused.headers["www-authenticate"]) == (401, 'Bearer realm="latchkey"')
                assert json.loads(refused.text)["detail"]["code"] == "NO_CREDENTIALS"
                assert client.get("/open").json() == {"user": None, "session": None}
                latchkey.sign_out(ann)
                assert client.get("/private/me", headers=ann.cookie).status_code == 401
        finally:
            process.terminate()
            process.wait(20)
