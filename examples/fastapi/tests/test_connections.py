"""The connections to latchkey: kept, bounded, never shared by two visitors, and gone in the end."""

import asyncio
import random
import socket
import threading
from collections.abc import Awaitable, Callable

import pytest
from fastapi.testclient import TestClient
from support.api import assert_outage, open_api
from support.latchkey import LatchkeyProcess
from support.stub import VERIFIED, Stub, always, http, never, stub_server
from support.waiting import until

from latchkey_fastapi import Credentials, Identity, Latchkey, LatchkeyUnavailable, Settings, open_latchkey
from latchkey_fastapi.addresses import parse_address
from latchkey_fastapi.app import create_app
from latchkey_fastapi.connections import ConnectionPool, open_connections

ANN, BOB = (Credentials(cookie=b"better-auth.session_token=%b" % name) for name in (b"ann", b"bob"))
COOKIE = {"Cookie": "better-auth.session_token=x"}
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
GOOD = http(200, VERIFIED)


def settings(stub: Stub, **changes: object) -> Settings:
    return Settings.model_validate({"latchkey_url": stub.url, "verify_timeout_seconds": 20, **changes})


async def echo(head: bytes) -> bytes:
    """Signs in whom the cookie names."""
    name = head.partition(b"session_token=")[2].partition(b"\r\n")[0].decode()
    return http(200, VERIFIED.replace('"Ann"', f'"{name}"'))


async def name_of(latchkey: Latchkey, credentials: Credentials) -> str:
    verdict = await latchkey.verify(credentials)
    assert isinstance(verdict, Identity)
    return verdict.user.name


async def interrupt_by_cancelling(check: "asyncio.Task[str]") -> None:
    check.cancel()
    with pytest.raises(asyncio.CancelledError):
        await check


async def interrupt_by_waiting(check: "asyncio.Task[str]") -> None:
    with pytest.raises(LatchkeyUnavailable, match="no answer in time"):
        await check


@pytest.mark.parametrize(
    ("interrupt", "timeout_seconds"),
    [pytest.param(interrupt_by_cancelling, 20, id="cancelled"), pytest.param(interrupt_by_waiting, 0.5, id="too late")],
)
@pytest.mark.parametrize("had_begun", [False, True], ids=["no byte", "half an answer"])
async def test_an_answer_to_nobody_reaches_nobody(
    interrupt: Callable[["asyncio.Task[str]"], Awaitable[None]], timeout_seconds: float, had_begun: bool
) -> None:
    async with stub_server(echo) as stub:
        chosen = settings(stub, verify_timeout_seconds=timeout_seconds, verify_max_connections=1)
        async with open_latchkey(chosen) as latchkey:
            assert await name_of(latchkey, BOB) == "bob"
            stub.answer = never
            check = asyncio.create_task(name_of(latchkey, ANN))
            await until(lambda: len(stub.heads) == 2)
            late = await echo(stub.heads[1])
            if had_begun:
                stub.writers[0].write(late[:300])
                await asyncio.sleep(0.05)
            await interrupt(check)
            stub.answer = echo
            stub.writers[0].write(late[300:] if had_begun else late)
            for _ in range(3):
                assert await name_of(latchkey, BOB) == "bob"
            await until(lambda: stub.open == 1)
            assert stub.connections == 2


async def test_no_answer_reaches_another_visitor_whatever_happens() -> None:
    """Answers that come late, in parts, half, twice or not at all, to visitors who leave whenever they like.

    Only a second answer that comes once the next question was asked could not be told from that one's.
    """
    dice = random.Random(12)

    async def misbehave(head: bytes) -> bytes | None:
        answer = await echo(head)
        match dice.randrange(7):
            case 0:
                return None
            case 1:
                stub.send(head, answer[: dice.randrange(len(answer))])
                return None
            case 2:
                return answer + answer
            case 3:
                stub.send(head, answer[:200])
                await asyncio.sleep(dice.random() / 100)
                return answer[200:]
            case _:
                await asyncio.sleep(dice.random() / 200)
                return answer

    counts = {"answered": 0, "outage": 0, "left": 0}

    async def visit(latchkey: Latchkey, number: int) -> None:
        cookie = b"better-auth.session_token=v%d" % number
        check = asyncio.create_task(name_of(latchkey, Credentials(cookie=cookie)))
        if dice.random() < 0.3:
            asyncio.get_running_loop().call_later(dice.random() / 100, check.cancel)
        try:
            assert await check == f"v{number}"
            counts["answered"] += 1
        except LatchkeyUnavailable:
            counts["outage"] += 1
        except asyncio.CancelledError:
            counts["left"] += 1

    async with stub_server(misbehave) as stub:
        chosen = settings(stub, verify_max_connections=8, verify_timeout_seconds=0.3)
        async with open_latchkey(chosen) as latchkey:
            for start in range(0, 1500, 30):
                await asyncio.gather(*(visit(latchkey, start + at) for at in range(30)))
        assert stub.most_open <= 16  # closed here, and not yet there
    assert min(counts.values()) > 100
    await until(lambda: stub.open == 0)


async def test_cancellation_at_any_step_leaks_no_connection() -> None:
    async with stub_server(always(GOOD)) as stub, open_connections(parse_address(stub.url)) as pool:
        for steps in range(60):
            question = asyncio.create_task(pool.ask(REQUEST))
            for _ in range(steps):
                await asyncio.sleep(0)
            question.cancel()
            await asyncio.wait([question])
        assert (await pool.ask(REQUEST)).status == 200
        assert stub.connections > 2  # some were cancelled with a connection in hand
        await until(lambda: stub.open == 1 and len(pool) == 1)
    await until(lambda: stub.open == 0)


async def test_a_burst_opens_no_more_than_allowed_and_keeps_them() -> None:
    async with stub_server(echo) as stub, open_latchkey(settings(stub, verify_max_connections=4)) as latchkey:
        for _ in range(3):
            names = await asyncio.gather(*(name_of(latchkey, (ANN, BOB)[at % 2]) for at in range(50)))
            assert names == ["ann", "bob"] * 25
        assert (stub.connections, stub.most_open, len(stub.heads)) == (4, 4, 150)
    await until(lambda: stub.open == 0)


async def test_a_queue_that_is_full_is_said_at_once() -> None:
    async with stub_server(never) as stub:
        chosen = settings(stub, verify_max_connections=2, verify_max_waiting=3, verify_queue_timeout_seconds=20)
        async with open_latchkey(chosen) as latchkey:
            checks = [asyncio.create_task(latchkey.verify(ANN)) for _ in range(9)]
            await until(lambda: len(stub.heads) == 2)
            done = [check for check in checks if check.done()]
            assert [str(check.exception()) for check in done] == ["too many checks at once"] * 4
            assert isinstance(done[0].exception(), LatchkeyUnavailable)
            # Those that gave up leave their places to others.
            for check in checks:
                check.cancel()
            await asyncio.wait(checks)
            stub.answer = always(GOOD)
            verdicts = await asyncio.gather(*(latchkey.verify(ANN) for _ in range(5)))
            assert all(isinstance(verdict, Identity) for verdict in verdicts)


@pytest.mark.parametrize("had_asked", [False, True], ids=["a new connection", "a kept one"])
async def test_asks_once_more_and_no_oftener(had_asked: bool) -> None:
    async def hang_up(_head: bytes) -> None:
        return None

    async with stub_server(always(GOOD)) as stub, open_latchkey(settings(stub)) as latchkey:
        if had_asked:
            await latchkey.verify(ANN)
        stub.answer, before = hang_up, len(stub.heads)
        with pytest.raises(LatchkeyUnavailable, match="closed without an answer"):
            await latchkey.verify(ANN)
        assert len(stub.heads) - before == 2
        assert stub.heads[-1] == stub.heads[-2]


async def test_asks_once_where_an_answer_had_begun() -> None:
    async def break_off(_head: bytes) -> None:
        stub.writers[-1].write(GOOD[:40])
        await stub.writers[-1].drain()

    async with stub_server(break_off) as stub, open_latchkey(settings(stub)) as latchkey:
        with pytest.raises(LatchkeyUnavailable, match="broke"):
            await latchkey.verify(ANN)
        assert len(stub.heads) == 1


async def test_finds_connections_anew_when_all_kept_ones_closed() -> None:
    async def hang_up_once(_head: bytes) -> None:
        stub.answer = always(GOOD)

    async with stub_server(always(GOOD)) as stub, open_connections(parse_address(stub.url)) as pool:
        await asyncio.gather(*(pool.ask(REQUEST) for _ in range(5)))
        for writer in stub.writers:
            writer.close()
        await until(lambda: len(pool) == 0)
        stub.answer = hang_up_once  # None of those that closed counts as the one that may break.
        assert (await pool.ask(REQUEST)).status == 200
        assert (stub.connections, len(stub.heads)) == (7, 7)


async def test_closes_a_connection_that_speaks_unasked() -> None:
    async with stub_server(echo) as stub, open_latchkey(settings(stub)) as latchkey:
        assert await name_of(latchkey, ANN) == "ann"
        stub.writers[0].write(http(200, VERIFIED.replace('"Ann"', '"Eve"')))
        await until(lambda: stub.open == 0)
        assert await name_of(latchkey, BOB) == "bob"
        assert stub.connections == 2


async def test_leaves_connections_that_rested_long(monkeypatch: pytest.MonkeyPatch) -> None:
    async with stub_server(always(GOOD)) as stub, open_connections(parse_address(stub.url)) as pool:
        await asyncio.gather(*(pool.ask(REQUEST) for _ in range(3)))
        monkeypatch.setattr("latchkey_fastapi.connections.IDLE_SECONDS", 0.0)
        await asyncio.sleep(0.01)
        await pool.ask(REQUEST)
        await until(lambda: stub.open == 1)
        assert stub.connections == 4


async def test_a_closed_pool_asks_nobody() -> None:
    async with stub_server(never) as stub, open_connections(parse_address(stub.url)) as pool:
        question = asyncio.create_task(pool.ask(REQUEST))
        await until(lambda: stub.open == 1)
        await pool.close()
        with pytest.raises(OSError, match="closed"):
            await question
        with pytest.raises(OSError, match="closed"):
            await pool.ask(REQUEST)
        await until(lambda: stub.open == 0)
        assert (stub.connections, len(pool)) == (1, 0)


async def test_belongs_to_its_event_loop() -> None:
    """Another thread's loop, or that of a process forked off: a connection used by two would mix their answers up."""
    errors: list[BaseException] = []

    def use_elsewhere(pool: ConnectionPool) -> None:
        try:
            asyncio.run(pool.ask(REQUEST))
        except RuntimeError as error:
            errors.append(error)

    async with stub_server(always(GOOD)) as stub, open_connections(parse_address(stub.url)) as pool:
        await pool.ask(REQUEST)
        thread = threading.Thread(target=use_elsewhere, args=(pool,))
        thread.start()
        await asyncio.to_thread(thread.join)
        assert len(stub.heads) == 1
    assert "another event loop" in str(errors[0])


def test_an_app_may_be_started_again_on_another_loop(latchkey: LatchkeyProcess) -> None:
    ann = latchkey.sign_up()
    app = create_app(Settings(latchkey_url=latchkey.url))
    for _ in range(3):
        with TestClient(app) as api:
            for _ in range(2):
                assert api.get("/me", headers=ann.cookie).json()["user"]["id"] == ann.user_id


@pytest.mark.parametrize("byte", [b"\r", b"\n", b"\0"])
@pytest.mark.parametrize("place", ["cookie", "authorization"])
def test_no_credential_ends_its_line(byte: bytes, place: str) -> None:
    with pytest.raises(ValueError, match="CR, LF or NUL"):
        Credentials(**{place: b"a" + byte + b"b"})


async def test_sends_credentials_byte_by_byte() -> None:
    every_byte = bytes(byte for byte in range(1, 256) if byte not in b"\r\n")
    async with stub_server(always(GOOD)) as stub, open_latchkey(settings(stub)) as latchkey:
        await latchkey.verify(Credentials(cookie=b"a" + every_byte, authorization=every_byte + b"b"))
    assert stub.heads[0].split(b"\r\n")[-4:] == [
        b"Cookie: a" + every_byte,
        b"Authorization: " + every_byte + b"b",
        b"",
        b"",
    ]


@pytest.mark.parametrize(
    ("suffix", "line", "host"),
    [
        ("", b"GET /api/auth/verify HTTP/1.1", b"127.0.0.1:%d"),
        ("/a/b", b"GET /a/b/api/auth/verify HTTP/1.1", b"127.0.0.1:%d"),
    ],
)
async def test_asks_where_the_setting_says(suffix: str, line: bytes, host: bytes) -> None:
    async with stub_server(always(GOOD)) as stub:
        async with open_latchkey(Settings(latchkey_url=stub.url + suffix)) as latchkey:
            await latchkey.verify(Credentials())
        assert stub.heads[0].startswith(line + b"\r\n")
        assert stub.header(0, b"host") == [host % int(stub.url.rpartition(":")[2])]


async def test_a_server_that_never_takes_the_connection_is_an_outage() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        # Two fill the queue of one that accepts nothing; the next connection hangs.
        with socket.create_connection(("127.0.0.1", port)), socket.socket() as second:
            second.setblocking(False)
            second.connect_ex(("127.0.0.1", port))
            async with open_api(f"http://127.0.0.1:{port}", verify_timeout_seconds=0.5) as api:
                assert_outage(await api.get("/me", headers=COOKIE))
