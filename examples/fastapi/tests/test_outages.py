"""When latchkey cannot be asked, nobody is signed out."""

import asyncio
import json
import socket
import time

import pytest
from support.api import assert_outage, open_api
from support.latchkey import COOKIE_NAME, ORIGIN, LatchkeyProcess
from support.stub import IDENTITY, REFUSED, VERIFIED, always, http, never, stub_server

from latchkey_fastapi import Credentials, Identity, Settings, open_latchkey

COOKIE = {"Cookie": f"{COOKIE_NAME}=x", "Origin": ORIGIN}
HTML = "<h1>Sign in to the corporate proxy</h1>"
LATE = {"valid": True, **IDENTITY, "session": {**IDENTITY["session"], "expiresAt": "tomorrow"}}
LAX = {"valid": True, **IDENTITY, "user": {**IDENTITY["user"], "emailVerified": "true"}}


async def test_says_503_while_latchkey_is_down_and_recovers(own_latchkey: LatchkeyProcess) -> None:
    ann = own_latchkey.sign_up()
    async with open_api(own_latchkey.url) as api:
        assert (await api.get("/me", headers=ann.cookie)).status_code == 200
        own_latchkey.kill()
        assert_outage(await api.get("/me", headers=ann.cookie))
        assert_outage(await api.get("/me"))
        assert_outage(await api.get("/hello", headers=ann.cookie))
        assert (await api.get("/hello")).status_code == 200
        own_latchkey.start()
        assert (await api.get("/me", headers=ann.cookie)).json()["user"]["id"] == ann.user_id


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(http(401, HTML, "text/html", WWW_Authenticate="Basic"), id="a proxy's 401"),
        pytest.param(http(401, "", WWW_Authenticate="Bearer"), id="an empty 401"),
        pytest.param(http(401, '{"code":"UNAUTHORIZED","message":"x"}'), id="somebody's JSON 401"),
        pytest.param(http(401, VERIFIED), id="a 401 that says valid"),
        pytest.param(http(401, '{"valid":true,"code":"X","message":"x"}'), id="a refusal that says valid"),
        pytest.param(http(401, '{"valid":false}'), id="a 401 without a code"),
        pytest.param(http(401, '{"valid":0,"code":"X","message":"x"}'), id="a 401 that is about right"),
        pytest.param(http(200, HTML, "text/html"), id="a login page"),
        pytest.param(http(200, "null"), id="null"),
        pytest.param(http(200, ""), id="nothing"),
        pytest.param(http(200, "{"), id="cut JSON"),
        pytest.param(http(200, REFUSED), id="a refusal with 200"),
        pytest.param(http(200, json.dumps(IDENTITY)), id="an identity that is not said to be valid"),
        pytest.param(http(200, '{"valid":true}'), id="valid nobody"),
        pytest.param(http(200, json.dumps(LATE)), id="no date"),
        pytest.param(http(200, json.dumps(LAX)), id="a string for a boolean"),
        pytest.param(http(200, VERIFIED + " " * 70_000), id="too long"),
        pytest.param(http(200, VERIFIED)[:-9], id="cut short"),
        pytest.param(http(204), id="204"),
        pytest.param(http(304), id="304"),
        pytest.param(http(400, REFUSED), id="400"),
        pytest.param(http(403, REFUSED), id="403"),
        pytest.param(http(404, '{"code":"NOT_FOUND","message":"x"}'), id="404"),
        pytest.param(http(407, REFUSED), id="407"),
        pytest.param(http(500, REFUSED), id="500"),
        pytest.param(http(502, HTML, "text/html"), id="502"),
        pytest.param(http(503, '{"valid":false,"code":"SESSION_STORE_UNAVAILABLE","message":"x"}'), id="503"),
        pytest.param(http(503, "", Retry_After="Wed, 21 Oct 2015 07:28:00 GMT"), id="503 with a date"),
        pytest.param(b"SSH-2.0-OpenSSH_9.9\r\n", id="not HTTP"),
    ],
)
async def test_takes_for_an_outage(answer: bytes) -> None:
    async with stub_server(always(answer), keep_alive=False) as stub, open_api(stub.url) as api:
        assert_outage(await api.get("/me", headers=COOKIE))
        assert_outage(await api.get("/hello", headers=COOKIE))
        assert_outage(await api.post("/notes", headers=COOKIE, json={"text": "x"}))


@pytest.mark.parametrize("status", [429, 503])
async def test_passes_retry_after_on(status: int) -> None:
    async with stub_server(always(http(status, Retry_After="7"))) as stub, open_api(stub.url) as api:
        assert_outage(await api.get("/me", headers=COOKIE), "7")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_follows_no_redirect(status: int) -> None:
    async with stub_server(always(http(200, VERIFIED))) as target, stub_server() as stub:
        stub.answer = always(http(status, Location=f"{target.url}/api/auth/verify"))
        async with open_api(stub.url) as api:
            assert_outage(await api.get("/me", headers=COOKIE))
    assert target.connections == 0


@pytest.mark.parametrize("headers", [{}, {"WWW_Authenticate": "Bearer realm=latchk\u0119y"}], ids=["lost", "garbled"])
async def test_gives_a_401_a_challenge_of_its_own(headers: dict[str, str]) -> None:
    async with stub_server(always(http(401, REFUSED, **headers))) as stub, open_api(stub.url) as api:
        answer = await api.get("/me", headers=COOKIE)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Bearer realm="latchkey"')


async def test_gives_up_on_a_server_that_never_answers() -> None:
    async with stub_server(never) as stub, open_api(stub.url, verify_timeout_seconds=0.3) as api:
        started = time.monotonic()
        assert_outage(await api.get("/me", headers=COOKIE))
        assert 0.25 < time.monotonic() - started < 10


async def test_gives_up_on_a_server_that_drips() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n")
        try:
            for _ in range(100):
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.1)
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    async with (
        server,
        open_api("http://127.0.0.1:%d" % server.sockets[0].getsockname()[1], verify_timeout_seconds=0.4) as api,
    ):
        started = time.monotonic()
        assert_outage(await api.get("/me", headers=COOKIE))
        assert time.monotonic() - started < 8


async def test_a_burst_does_not_queue_for_ever() -> None:
    settings = {"verify_timeout_seconds": 0.5, "verify_queue_timeout_seconds": 0.7, "verify_max_connections": 4}
    async with stub_server(never) as stub, open_api(stub.url, **settings) as api:
        started = time.monotonic()
        for answer in await asyncio.gather(*(api.get("/me", headers=COOKIE) for _ in range(200))):
            assert_outage(answer)
        assert time.monotonic() - started < 15  # 200 / 4 * 0.5 s would be 25 s
        assert stub.connections < 100


async def test_survives_cancellation_at_any_step() -> None:
    """httpcore's pool never gives a connection free whose request was cancelled just as it got one."""
    credentials = Credentials(cookie=b"better-auth.session_token=x")
    async with stub_server(always(http(200, VERIFIED))) as stub:
        settings = Settings(latchkey_url=stub.url, verify_timeout_seconds=5, verify_max_connections=1)
        async with open_latchkey(settings) as latchkey:
            for steps in range(60):
                check = asyncio.create_task(latchkey.verify(credentials))
                for _ in range(steps):
                    await asyncio.sleep(0)
                check.cancel()
                await asyncio.wait([check])
            assert isinstance(await latchkey.verify(credentials), Identity)


async def test_says_503_where_nobody_listens() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))  # bound, not listening: connections are refused
        async with open_api("http://127.0.0.1:%d" % free.getsockname()[1]) as api:
            assert_outage(await api.get("/me", headers=COOKIE))
            assert_outage(await api.get("/me"))


async def test_asks_once_more_when_a_kept_connection_breaks() -> None:
    async with stub_server(always(http(200, VERIFIED))) as stub, open_api(stub.url) as api:
        assert (await api.get("/me", headers=COOKIE)).status_code == 200

        async def hang_up(_head: bytes) -> None:
            stub.answer = always(http(200, VERIFIED))

        stub.answer = hang_up
        assert (await api.get("/me", headers=COOKIE)).status_code == 200
        assert (len(stub.heads), stub.connections) == (3, 2)
