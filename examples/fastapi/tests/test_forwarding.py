"""What reaches latchkey, byte by byte, and what the shared client keeps to itself."""

import pytest
from support.api import open_api
from support.stub import IDENTITY, REFUSED, VERIFIED, always, http, stub_server

NAME = b"better-auth.session_token"
SECURE = b"__Secure-better-auth.session_token"


@pytest.mark.parametrize(
    ("received", "forwarded"),
    [
        pytest.param(b"%s=to.k%%2Ben%%3D" % NAME, b"%s=to.k%%2Ben%%3D" % NAME, id="percent-encoded"),
        pytest.param(b"%s=to.k+en/=" % NAME, b"%s=to.k+en/=" % NAME, id="decoded"),
        pytest.param(b'%s="to.k\\053en"' % NAME, b'%s="to.k\\053en"' % NAME, id="quoted"),
        pytest.param(b"a=1;%s=x;b=2" % NAME, b"%s=x" % NAME, id="among others"),
        pytest.param(b"  %s = x  ; b" % NAME, b"%s=x" % NAME, id="spaces"),
        pytest.param(b"%s=x; %s=y" % (NAME, NAME), b"%s=x" % NAME, id="first of duplicates"),
        pytest.param(b"%s=; %s=y" % (NAME, NAME), b"%s=" % NAME, id="empty first of duplicates"),
        pytest.param(b"%s=\xff; %s=y" % (NAME, NAME), None, id="unusable first of duplicates"),
        pytest.param(b"%s=x" % SECURE, b"%s=x" % SECURE, id="secure"),
        pytest.param(b"%s=x; %s=y; %s=z" % (SECURE, NAME, SECURE), b"%s=x; %s=y" % (SECURE, NAME), id="both names"),
        pytest.param(b"x%s=1; %sx=2; %s" % (NAME, NAME, NAME), None, id="other names"),
        pytest.param(NAME.upper() + b"=x", None, id="names have a case"),
        pytest.param(b"other=%s=x" % NAME, None, id="inside another value"),
    ],
)
async def test_forwards_the_session_cookie_only(received: bytes, forwarded: bytes | None) -> None:
    async with stub_server(always(http(200, VERIFIED))) as stub, open_api(stub.url) as api:
        answer = await api.get("/me", headers=[(b"Cookie", received), (b"X-Secret", b"1")])
    assert answer.status_code == 200
    assert answer.json() == IDENTITY | {"session": answer.json()["session"], "user": answer.json()["user"]}
    assert stub.heads[0].startswith(b"GET /api/auth/verify HTTP/1.1\r\n")
    assert stub.header(0, b"cookie") == ([] if forwarded is None else [forwarded])
    assert stub.header(0, b"authorization") == []
    names = {line.partition(b":")[0].lower() for line in stub.heads[0].split(b"\r\n")[1:] if line}
    assert names <= {b"host", b"accept", b"accept-encoding", b"connection", b"user-agent", b"cookie"}


async def test_joins_split_cookie_headers() -> None:
    async with stub_server(always(http(200, VERIFIED))) as stub, open_api(stub.url) as api:
        await api.get("/me", headers=[(b"Cookie", b"a=1"), (b"Cookie", b"%s=x" % NAME)])
    assert stub.header(0, b"cookie") == [b"%s=x" % NAME]


@pytest.mark.parametrize("value", [b"Bearer a.b%3D", b"Basic eA==", b"Bearer  two"])
async def test_forwards_authorization(value: bytes) -> None:
    async with stub_server(always(http(200, VERIFIED))) as stub, open_api(stub.url) as api:
        await api.get("/me", headers=[(b"Authorization", value), (b"Authorization", b"Bearer second")])
    assert stub.header(0, b"authorization") == [value]
    assert stub.header(0, b"cookie") == []


async def test_the_shared_client_keeps_no_cookie() -> None:
    leak = http(200, VERIFIED, Set_Cookie="better-auth.session_token=ann; Path=/; HttpOnly")
    async with stub_server(always(leak)) as stub, open_api(stub.url) as api:
        ann = await api.get("/me", headers=[(b"Cookie", b"%s=ann" % NAME)])
        assert ann.status_code == 200
        stub.answer = always(http(401, REFUSED))
        anonymous = await api.get("/me")
    assert anonymous.status_code == 401
    assert stub.header(0, b"cookie") == [b"%s=ann" % NAME]
    assert stub.header(1, b"cookie") == []
    assert "set-cookie" not in ann.headers


async def test_an_anonymous_visitor_of_an_optional_route_costs_no_call() -> None:
    async with stub_server() as stub, open_api(stub.url) as api:
        assert (await api.get("/hello", headers={"Cookie": "theme=dark"})).status_code == 200
        assert (await api.get("/healthz")).json() == {"status": "ok"}
    assert stub.connections == 0


async def test_ignores_proxies_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    async with stub_server(always(http(200, VERIFIED))) as stub, stub_server() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        async with open_api(stub.url) as api:
            assert (await api.get("/me", headers=[(b"Cookie", b"%s=x" % NAME)])).status_code == 200
    assert (proxy.connections, stub.connections) == (0, 1)


async def test_reuses_one_connection() -> None:
    async with stub_server(always(http(200, VERIFIED))) as stub, open_api(stub.url) as api:
        for _ in range(5):
            await api.get("/me")
    assert (len(stub.heads), stub.connections) == (5, 1)
