"""Which answers are believed. All others are an outage, and nothing of them is left for the next visitor."""

import pytest
from support.api import assert_outage, open_api
from support.stub import REFUSED, VERIFIED, always, chunked, http, stub_server

from latchkey_fastapi.answers import Answer, AnswerReader, BrokenAnswer

COOKIE = {"Cookie": "better-auth.session_token=x"}
GOOD = http(200, VERIFIED, WWW_Authenticate="Bearer")
HEAD, BODY = GOOD[: GOOD.index(b"\r\n\r\n")], GOOD[GOOD.index(b"\r\n\r\n") + 4 :]
LINE, LENGTH = b"HTTP/1.1 200 OK\r\n", b"Content-Length: %d\r\n" % len(BODY)
CHUNKED = LINE + b"Transfer-Encoding: chunked\r\n"
ONE_CHUNK = b"%x\r\n%b\r\n" % (len(BODY), BODY)


def whole(fields: bytes, body: bytes = BODY, line: bytes = LINE) -> bytes:
    return line + fields + b"\r\n" + body


# Each of them holds a body that would sign somebody in.
UNUSUAL = {
    "no length": whole(b"Connection: close\r\n"),
    "two equal lengths": whole(LENGTH + LENGTH),
    "two lengths": whole(LENGTH + b"Content-Length: 1\r\n"),
    "a list of lengths": whole(b"Content-Length: %d, %d\r\n" % (len(BODY), len(BODY))),
    "a signed length": whole(b"Content-Length: +%d\r\n" % len(BODY)),
    "a length in hexadecimal": whole(b"Content-Length: 0x%x\r\n" % len(BODY)),
    "an empty length": whole(b"Content-Length:\r\n"),
    "a length too large for any machine": whole(b"Content-Length: 1%d\r\n" % 10**30),
    "a length and chunks": whole(LENGTH + b"Transfer-Encoding: chunked\r\n", ONE_CHUNK + b"0\r\n\r\n"),
    "another coding": whole(b"Transfer-Encoding: gzip, chunked\r\n", ONE_CHUNK + b"0\r\n\r\n"),
    "chunked twice": CHUNKED + whole(b"Transfer-Encoding: chunked\r\n", ONE_CHUNK + b"0\r\n\r\n", b""),
    "a coding that is nearly chunked": whole(b"Transfer-Encoding: xchunked\r\n", ONE_CHUNK + b"0\r\n\r\n"),
    "identity": whole(LENGTH + b"Transfer-Encoding: identity\r\n"),
    "a trailer": CHUNKED + b"\r\n" + ONE_CHUNK + b"0\r\nRetry-After: 9\r\n\r\n",
    "a chunk of the wrong size": CHUNKED + b"\r\n" + ONE_CHUNK.replace(BODY, BODY + b" ") + b"0\r\n\r\n",
    "a chunk too large": CHUNKED + b"\r\nffffffffffffffff1\r\n" + BODY,
    "a folded field": whole(b"X: a\r\n b\r\n" + LENGTH),
    "a blank before the colon": whole(LENGTH.replace(b":", b" :")),
    "a field without a name": whole(b": a\r\n" + LENGTH),
    "a line without a colon": whole(b"Hello\r\n" + LENGTH),
    "NUL in a field": whole(b"X: a\0b\r\n" + LENGTH),
    "a control character in a field": whole(b"X: a\x01b\r\n" + LENGTH),
    "line feeds alone": GOOD[: len(HEAD) + 4].replace(b"\r", b"") + BODY,
    "one line feed alone": whole(b"X: a\n" + LENGTH),
    "a carriage return alone": whole(b"X: a\rY: b\r\n" + LENGTH),
    "HTTP/1.0": whole(LENGTH, line=b"HTTP/1.0 200 OK\r\n"),
    "HTTP/1.2": whole(LENGTH, line=b"HTTP/1.2 200 OK\r\n"),
    "HTTP/2": whole(LENGTH, line=b"HTTP/2.0 200 OK\r\n"),
    "ICY": whole(LENGTH, line=b"ICY 200 OK\r\n"),
    "lower case": whole(LENGTH, line=b"http/1.1 200 OK\r\n"),
    "a request": whole(LENGTH, line=b"GET / HTTP/1.1\r\n"),
    "a status of two digits": whole(LENGTH, line=b"HTTP/1.1 20 OK\r\n"),
    "a status of four digits": whole(LENGTH, line=b"HTTP/1.1 2000 OK\r\n"),
    "an empty line before": b"\r\n" + GOOD,
    "100 before": b"HTTP/1.1 100 Continue\r\n\r\n" + GOOD,
    "100 with a length before": b"HTTP/1.1 100 Continue\r\nContent-Length: 0\r\n\r\n" + GOOD,
    "103 before": b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + GOOD,
    "101": whole(LENGTH + b"Upgrade: x\r\nConnection: upgrade\r\n", line=b"HTTP/1.1 101 X\r\n"),
    "204 with a body": whole(LENGTH, line=b"HTTP/1.1 204 X\r\n"),
    "304 with a body": whole(LENGTH, line=b"HTTP/1.1 304 X\r\n"),
    "a byte behind": GOOD + b" ",
    "an empty line behind": GOOD + b"\r\n",
    "another answer behind": GOOD + GOOD,
    "a byte behind chunks": chunked(200, VERIFIED) + b" ",
    "an empty line behind chunks": chunked(200, VERIFIED) + b"\r\n",
    "another answer behind chunks": chunked(200, VERIFIED) + whole(b"Content-Length: 7\r\n", b"\r\n0\r\n\r\n"),
    "too many fields": whole(b"X: y\r\n" * 3000 + LENGTH),
    "too long a field": whole(b"X: " + b"y" * 17_000 + b"\r\n" + LENGTH),
    "a head without an end": LINE + b"X: y\r\n" * 20_000,
    "too long a body": whole(b"Content-Length: %d\r\n" % (len(BODY) + 66_000), BODY + b" " * 66_000),
    "too many chunks": CHUNKED + b"\r\n" + b"1\r\n \r\n" * 20_000 + ONE_CHUNK + b"0\r\n\r\n",
}


@pytest.mark.parametrize("answer", UNUSUAL.values(), ids=UNUSUAL)
async def test_an_unusual_answer_is_an_outage(answer: bytes) -> None:
    async with stub_server(always(answer)) as stub, open_api(stub.url, verify_timeout_seconds=10) as api:
        assert_outage(await api.get("/me", headers=COOKIE))
        stub.answer = always(http(401, REFUSED))
        # What else came on that connection is no answer to anybody.
        assert (await api.get("/me", headers=COOKIE)).status_code == 401
        assert stub.connections == 2


@pytest.mark.parametrize("answer", UNUSUAL.values(), ids=UNUSUAL)
async def test_an_unusual_refusal_is_an_outage(answer: bytes) -> None:
    refusal = answer.replace(b"200 OK", b"401 No").replace(BODY, REFUSED.ljust(len(BODY)).encode())
    async with stub_server(always(refusal)) as stub, open_api(stub.url, verify_timeout_seconds=10) as api:
        assert_outage(await api.get("/me", headers=COOKIE))


async def test_an_answer_that_closes_is_believed_and_its_connection_left() -> None:
    async with stub_server(always(http(200, VERIFIED, Connection="close"))) as stub, open_api(stub.url) as api:
        for _ in range(2):
            assert (await api.get("/me", headers=COOKIE)).status_code == 200
        assert (stub.connections, len(stub.heads)) == (2, 2)


async def test_chunks_are_believed_and_their_connection_kept() -> None:
    async with stub_server(always(chunked(200, VERIFIED))) as stub, open_api(stub.url) as api:
        assert (await api.get("/me", headers=COOKIE)).status_code == 200
        stub.answer = always(chunked(401, REFUSED))
        assert (await api.get("/me", headers=COOKIE)).status_code == 401
        assert stub.connections == 1


def read(*parts: bytes) -> Answer | None:
    reader = AnswerReader()
    answer = None
    for part in parts:
        assert answer is None
        answer = reader.feed(part)
    return answer


@pytest.mark.parametrize("raw", [GOOD, chunked(200, VERIFIED)], ids=["length", "chunks"])
def test_reads_an_answer_however_it_is_cut(raw: bytes) -> None:
    complete = read(raw)
    assert complete is not None
    assert (complete.status, complete.body, complete.may_keep) == (200, BODY, True)
    for at in range(1, len(raw)):
        assert read(raw[:at]) is None
        assert read(raw[:at], raw[at:]) == complete
    assert read(*(raw[at : at + 1] for at in range(len(raw)))) == complete


@pytest.mark.parametrize("raw", UNUSUAL.values(), ids=UNUSUAL)
def test_refuses_an_unusual_answer_at_once(raw: bytes) -> None:
    with pytest.raises(BrokenAnswer):
        read(raw)


@pytest.mark.parametrize("raw", [pytest.param(raw, id=name) for name, raw in UNUSUAL.items() if len(raw) < 2000])
def test_refuses_an_unusual_answer_however_it_is_cut(raw: bytes) -> None:
    for at in range(1, len(raw)):
        # Cut where a good answer ends it is one; what follows meets a connection that asked nothing.
        if raw[:at] not in (GOOD, chunked(200, VERIFIED)):
            with pytest.raises(BrokenAnswer):
                read(raw[:at], raw[at:])


def test_reads_one_answer_after_another() -> None:
    reader = AnswerReader()
    for raw in (http(401, REFUSED, Retry_After="7"), chunked(200, VERIFIED), GOOD, http(503)) * 3:
        reader.reset()
        assert not reader.has_begun
        assert reader.feed(raw[:9]) is None
        assert reader.has_begun
        answer = reader.feed(raw[9:])
        assert answer is not None and answer == read(raw)


def test_keeps_the_two_fields_that_are_passed_on() -> None:
    raw = http(401, REFUSED, WWW_Authenticate="Bearer a", www_authenticate="Basic b", Retry_After="7", X="y")
    answer = read(raw)
    assert answer is not None
    assert answer.fields == {b"www-authenticate": b"Bearer a, Basic b", b"retry-after": b"7"}


def test_says_nothing_of_what_came() -> None:
    with pytest.raises(BrokenAnswer) as caught:
        read(b"HTTP/1.1 200 OK\r\nX: secret\r\n\x01secret")
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None
