"""latchkey over a unix socket, and over https."""

import asyncio
import ssl
import subprocess
from pathlib import Path

import pytest
from support.api import assert_outage, open_api
from support.latchkey import LatchkeyProcess
from support.relay import unix_relay
from support.stub import REFUSED, VERIFIED, always, http, never, stub_server
from support.waiting import until

COOKIE = {"Cookie": "better-auth.session_token=x"}
GOOD = http(200, VERIFIED)


async def test_over_a_unix_socket(latchkey: LatchkeyProcess, tmp_path: Path) -> None:
    ann, path = latchkey.sign_up(), tmp_path / "latchkey.sock"
    async with open_api(f"unix:{path}") as api:
        assert_outage(await api.get("/me", headers=ann.cookie))  # there is no socket yet
        async with unix_relay(path, latchkey.url) as relay:
            for _ in range(3):
                assert (await api.get("/me", headers=ann.cookie)).json()["user"]["id"] == ann.user_id
            assert (await api.get("/me")).status_code == 401
            assert relay.connections == 1
        path.unlink()
        assert_outage(await api.get("/me", headers=ann.cookie))
        path.write_text("no socket")
        assert_outage(await api.get("/me", headers=ann.cookie))


async def test_names_localhost_over_a_unix_socket(tmp_path: Path) -> None:
    async with stub_server(always(http(401, REFUSED)), socket_path=tmp_path / "s") as stub:
        async with open_api(stub.url) as api:
            assert (await api.get("/me", headers=COOKIE)).status_code == 401
        assert stub.header(0, b"host") == [b"localhost"]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """For `localhost` alone, signed by itself: its file and its key's."""
    directory = tmp_path_factory.mktemp("certificate")
    certificate, key = directory / "certificate.pem", directory / "key.pem"
    options = "-x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=DNS:localhost"]
    command = ["openssl", "req", *options.split(), *names, "-out", str(certificate), "-keyout", str(key)]
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key


@pytest.fixture
def tls(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context


async def test_over_https(tls: ssl.SSLContext, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    async with stub_server(always(GOOD), tls=tls) as stub, open_api(stub.url) as api:
        for _ in range(3):
            assert (await api.get("/me", headers=COOKIE)).status_code == 200
        assert stub.connections == 1
        chosen = stub.writers[0].get_extra_info("ssl_object").selected_alpn_protocol()
        assert chosen == "http/1.1"
        stub.answer = never
        check = asyncio.create_task(api.get("/me", headers=COOKIE))
        await until(lambda: len(stub.heads) == 4)
        check.cancel()
        await asyncio.wait([check])
        await until(lambda: stub.open == 0)
        stub.answer = always(http(401, REFUSED))
        assert (await api.get("/me", headers=COOKIE)).status_code == 401


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"], ids=["of a stranger", "of another name"])
async def test_believes_no_certificate(
    host: str, tls: ssl.SSLContext, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    if host == "127.0.0.1":
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    async with stub_server(always(GOOD), tls=tls) as stub:
        async with open_api(stub.url.replace("localhost", host)) as api:
            assert_outage(await api.get("/me", headers=COOKIE))
        assert stub.heads == []


async def test_plain_http_where_tls_is_spoken_and_the_other_way_round(tls: ssl.SSLContext) -> None:
    async with stub_server(always(GOOD), tls=tls) as stub, open_api(stub.url.replace("https", "http")) as api:
        assert_outage(await api.get("/me", headers=COOKIE))
    async with stub_server(always(GOOD)) as stub:  # which waits for the rest of a request
        async with open_api(stub.url.replace("http", "https"), verify_timeout_seconds=0.5) as api:
            assert_outage(await api.get("/me", headers=COOKIE))
