"""The optional cache: its lag, its bounds, and what it never holds."""

from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from support.api import assert_outage, open_api
from support.latchkey import LatchkeyProcess
from support.stub import REFUSED, VERIFIED, always, http, stub_server

from latchkey_fastapi import Credentials, Identity
from latchkey_fastapi.cache import IdentityCache
from latchkey_fastapi.models import Verified

COOKIE = {"Cookie": "better-auth.session_token=x"}
TTL_SECONDS = 10
NOW = 1_800_000_000.0


@dataclass
class Clocks:
    """Both at once, as far as the test does not set one of them."""

    monotonic: float = 50.0
    wall: float = NOW

    def advance(self, seconds: float) -> None:
        self.monotonic += seconds
        self.wall += seconds


def identity(ends_at: float = NOW + 1000) -> Identity:
    ann = Verified.model_validate_json(VERIFIED)
    session = ann.session.model_copy(update={"expires_at": datetime.fromtimestamp(ends_at, UTC)})
    return Identity(user=ann.user, session=session)


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


@pytest.fixture
def cache(clocks: Clocks) -> IdentityCache:
    return IdentityCache(TTL_SECONDS, 3, monotonic=lambda: clocks.monotonic, wall=lambda: clocks.wall)


def test_forgets_after_the_ttl(cache: IdentityCache, clocks: Clocks) -> None:
    ann = identity()
    cache.put(b"ann", ann, cache.now())
    clocks.advance(TTL_SECONDS - 0.01)
    assert (cache.get(b"ann"), cache.get(b"bob")) == (ann, None)
    clocks.advance(0.01)
    assert (cache.get(b"ann"), len(cache)) == (None, 0)


def test_counts_the_ttl_from_the_question(cache: IdentityCache, clocks: Clocks) -> None:
    asked_at = cache.now()
    clocks.advance(4)  # a slow answer may be 4 s old already
    cache.put(b"ann", identity(), asked_at)
    clocks.advance(TTL_SECONDS - 4)
    assert cache.get(b"ann") is None


def test_never_outlives_the_session(cache: IdentityCache, clocks: Clocks) -> None:
    cache.put(b"ann", identity(NOW + 3), cache.now())
    clocks.advance(2.99)
    assert cache.get(b"ann") is not None
    clocks.advance(0.01)
    assert cache.get(b"ann") is None


def test_keeps_its_lag_when_the_wall_clock_is_set_back(cache: IdentityCache, clocks: Clocks) -> None:
    cache.put(b"ann", identity(), cache.now())
    clocks.wall -= 3600
    clocks.monotonic += TTL_SECONDS
    assert cache.get(b"ann") is None


def test_drops_the_oldest_when_full(cache: IdentityCache) -> None:
    for key in (b"a", b"b", b"c", b"a", b"d"):
        cache.put(key, identity(), cache.now())
    assert [key for key in (b"a", b"b", b"c", b"d") if cache.get(key)] == [b"a", b"c", b"d"]
    assert len(cache) == 3


def test_tells_credentials_apart() -> None:
    different = [
        Credentials(),
        Credentials(cookie=b""),
        Credentials(cookie=b"a"),
        Credentials(authorization=b"a"),
        Credentials(cookie=b"a", authorization=b""),
        Credentials(cookie=b"a", authorization=b"b"),
        Credentials(cookie=b"a+b"),
    ]
    assert len({credentials.digest() for credentials in different}) == len(different)
    assert "secret" not in repr(Credentials(cookie=b"secret", authorization=b"secret"))


async def test_is_off_by_default() -> None:
    async with stub_server(always(http(200, VERIFIED))) as stub, open_api(stub.url) as api:
        for _ in range(3):
            assert (await api.get("/me", headers=COOKIE)).status_code == 200
    assert len(stub.heads) == 3


async def test_asks_once_a_ttl_for_each_credential() -> None:
    settings = {"verify_cache_ttl_seconds": 60}
    async with stub_server(always(http(200, VERIFIED))) as stub, open_api(stub.url, **settings) as api:
        for _ in range(3):
            assert (await api.get("/me", headers=COOKIE)).status_code == 200
        assert len(stub.heads) == 1
        await api.get("/me", headers={"Cookie": "better-auth.session_token=y"})
        await api.get("/me", headers={"Authorization": "Bearer x"})
        await api.get("/me", headers={**COOKIE, "Authorization": "Bearer x"})
        assert len(stub.heads) == 4
        stub.answer = always(http(401, REFUSED))
        assert (await api.get("/me")).status_code == 401


async def test_never_holds_a_failure() -> None:
    settings = {"verify_cache_ttl_seconds": 60}
    async with stub_server(always(http(401, REFUSED))) as stub, open_api(stub.url, **settings) as api:
        assert (await api.get("/me", headers=COOKIE)).status_code == 401
        stub.answer = always(http(500))
        assert_outage(await api.get("/me", headers=COOKIE))
        stub.answer = always(http(200, VERIFIED))
        assert (await api.get("/me", headers=COOKIE)).status_code == 200


async def test_an_ended_session_is_never_cached() -> None:
    ended = VERIFIED.replace("2999-", "2001-")
    async with stub_server(always(http(200, ended))) as stub, open_api(stub.url, verify_cache_ttl_seconds=60) as api:
        for _ in range(2):
            await api.get("/me", headers=COOKIE)
    assert len(stub.heads) == 2


async def test_a_revoked_session_lives_on_for_the_ttl(latchkey: LatchkeyProcess) -> None:
    ann = latchkey.sign_up()
    async with open_api(latchkey.url, verify_cache_ttl_seconds=60) as cached, open_api(latchkey.url) as exact:
        assert (await cached.get("/me", headers=ann.cookie)).status_code == 200
        latchkey.sign_out(ann)
        assert (await cached.get("/me", headers=ann.cookie)).status_code == 200
        assert (await exact.get("/me", headers=ann.cookie)).status_code == 401
