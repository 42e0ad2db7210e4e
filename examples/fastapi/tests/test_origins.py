"""Requests that another site makes a visitor's browser send."""

import httpx
import pytest
from support.api import open_api
from support.stub import VERIFIED, always, http, stub_server

DOCS = "http://localhost:3000"
EVIL = "https://evil.example"
COOKIE = ("Cookie", "better-auth.session_token=x")
BEARER = ("Authorization", "Bearer x")
Headers = list[tuple[str, str]]

ALLOWED: dict[str, Headers] = {
    "listed origin": [COOKIE, ("Origin", DOCS)],
    "second listed origin": [COOKIE, ("Origin", "https://docs.example.com")],
    "listed origin, other referer": [COOKIE, ("Origin", DOCS), ("Referer", EVIL)],
    "listed referer": [COOKIE, ("Referer", f"{DOCS}/guide?x=1")],
    "referer is the origin itself": [COOKIE, ("Referer", DOCS)],
    "same origin, as of /docs": [COOKIE, ("Origin", "http://localhost:8000"), ("Sec-Fetch-Site", "same-origin")],
    "listed origin of another site": [COOKIE, ("Origin", DOCS), ("Sec-Fetch-Site", "cross-site")],
    "bearer only": [BEARER],
    "bearer only, other origin": [BEARER, ("Origin", EVIL)],
    "bearer and a cookie of no interest": [BEARER, ("Origin", EVIL), ("Cookie", "theme=dark")],
}
REFUSED: dict[str, Headers] = {
    "nothing": [COOKIE],
    "other origin": [COOKIE, ("Origin", EVIL)],
    "other origin, listed referer": [COOKIE, ("Origin", EVIL), ("Referer", DOCS)],
    "null": [COOKIE, ("Origin", "null")],
    "null, listed referer": [COOKIE, ("Origin", "null"), ("Referer", DOCS)],
    "empty": [COOKIE, ("Origin", ""), ("Referer", DOCS)],
    "two origins": [COOKIE, ("Origin", DOCS), ("Origin", EVIL)],
    "list of origins": [COOKIE, ("Origin", f"{DOCS} {EVIL}")],
    "other port": [COOKIE, ("Origin", "http://localhost:3001")],
    "longer port": [COOKIE, ("Origin", f"{DOCS}0")],
    "other scheme": [COOKIE, ("Origin", "https://localhost:3000")],
    "other case": [COOKIE, ("Origin", "http://LOCALHOST:3000")],
    "trailing slash": [COOKIE, ("Origin", f"{DOCS}/")],
    "suffix": [COOKIE, ("Origin", f"{DOCS}.evil.example")],
    "other referer": [COOKIE, ("Referer", f"{EVIL}/{DOCS}")],
    "referer with user info": [COOKIE, ("Referer", f"{DOCS}@evil.example/")],
    "referer with a backslash": [COOKIE, ("Referer", f"{DOCS}\\@evil.example/")],
    "referer that goes on": [COOKIE, ("Referer", f"{DOCS}.evil.example/")],
    "referer with a longer port": [COOKIE, ("Referer", f"{DOCS}0/")],
    "same site only": [COOKIE, ("Origin", "http://localhost:5000"), ("Sec-Fetch-Site", "same-site")],
    "two fetch sites": [COOKIE, ("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Site", "cross-site")],
    "bearer with the cookie": [COOKIE, BEARER, ("Origin", EVIL)],
}


async def post_note(headers: Headers) -> tuple[httpx.Response, int]:
    async with (
        stub_server(always(http(200, VERIFIED))) as stub,
        open_api(stub.url, allowed_origins=f"{DOCS}/, https://docs.example.com:443") as api,
    ):
        return await api.post("/notes", headers=headers, json={"text": "x"}), len(stub.heads)


@pytest.mark.parametrize("headers", ALLOWED.values(), ids=ALLOWED)
async def test_allows(headers: Headers) -> None:
    answer, calls = await post_note(headers)
    assert (answer.status_code, calls) == (201, 1)


@pytest.mark.parametrize("headers", REFUSED.values(), ids=REFUSED)
async def test_refuses(headers: Headers) -> None:
    answer, calls = await post_note(headers)
    assert (answer.status_code, answer.json()["detail"]["code"], calls) == (403, "ORIGIN_NOT_ALLOWED", 0)


@pytest.mark.parametrize("headers", REFUSED.values(), ids=REFUSED)
async def test_lets_reads_through(headers: Headers) -> None:
    async with stub_server(always(http(200, VERIFIED))) as stub, open_api(stub.url) as api:
        assert (await api.get("/me", headers=headers)).status_code == 200


async def test_answers_cors_with_credentials_to_the_docs_site() -> None:
    ask = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    async with stub_server(always(http(200, VERIFIED))) as stub, open_api(stub.url) as api:
        preflight = await api.options("/notes", headers={"Origin": DOCS, **ask})
        assert preflight.status_code == 200
        assert preflight.headers["access-control-allow-origin"] == DOCS
        assert preflight.headers["access-control-allow-credentials"] == "true"
        me = await api.get("/me", headers=[COOKIE, ("Origin", DOCS)])
        assert me.headers["access-control-allow-origin"] == DOCS
        assert me.headers["access-control-allow-credentials"] == "true"
        stub.answer = always(http(500))
        outage = await api.get("/me", headers=[COOKIE, ("Origin", DOCS)])
        assert (outage.status_code, outage.headers["access-control-allow-origin"]) == (503, DOCS)
        for answer in (
            await api.options("/notes", headers={"Origin": EVIL, **ask}),
            await api.get("/me", headers=[COOKIE, ("Origin", EVIL)]),
        ):
            assert "access-control-allow-origin" not in answer.headers
