"""Reads latchkey's answers off a connection, and refuses every other."""

from dataclasses import dataclass, field

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

MAX_HEAD_BYTES = 16 * 1024
MAX_BODY_BYTES = 64 * 1024

_KEPT_FIELDS = (b"www-authenticate", b"retry-after")


class BrokenAnswer(Exception):
    """What came is no answer that may be believed. The message quotes nothing of it."""


@dataclass(slots=True)
class Answer:
    """A whole answer."""

    status: int
    fields: dict[bytes, bytes] = field(repr=False)
    """`www-authenticate` and `retry-after`; what is there twice is joined by `, ` (RFC 9110 §5.3)."""
    body: bytes = field(repr=False)
    may_keep: bool
    """Whether the connection may be asked again."""


class AnswerReader:
    """Reads one answer after another, each to a request that was sent alone.

    llhttp, which `httptools` wraps, is strict about the syntax of HTTP/1.1: no folded fields, no second length, no
    line feeds alone. Refused here is what it lets pass: other versions, interim answers (1xx), an answer that nothing
    but the connection's end ends, codings other than `chunked` (which proxies use), trailers, bytes before or behind.
    """

    __slots__ = ("_body", "_chunked", "_complete", "_fields", "_length", "_may_keep", "_parser", "_raw")

    def __init__(self) -> None:
        self._parser = HttpResponseParser(self)
        self.reset()

    def reset(self) -> None:
        """Makes ready for the answer to the next request."""
        self._raw = b""
        self._fields: dict[bytes, bytes] = {}
        self._length: int | None = None
        self._chunked = False
        self._body = b""
        self._may_keep = False
        self._complete = False

    @property
    def has_begun(self) -> bool:
        """Whether any byte came since `reset`."""
        return bool(self._raw)

    def feed(self, received: bytes) -> Answer | None:
        """Takes what was received; returns the answer once it is whole.

        Raises:
            BrokenAnswer: for whatever else; the reader, and its connection, are of no use then.
        """
        raw = self._raw = self._raw + received if self._raw else received
        if raw[0] != 0x48:  # H: the parser would pass over empty lines
            raise BrokenAnswer("no answer of HTTP")
        try:
            self._parser.feed_data(received)
        except HttpParserError as error:
            cause = error.__context__
            raise cause if isinstance(cause, BrokenAnswer) else BrokenAnswer("malformed") from None
        except HttpParserUpgrade:
            raise BrokenAnswer("another protocol") from None
        head_end = raw.find(b"\r\n\r\n")
        if (len(raw) if head_end < 0 else head_end) > MAX_HEAD_BYTES:
            raise BrokenAnswer("too long a head")
        if not self._complete:
            return None
        # This refuses trailers too. The parser passes over empty lines behind an answer, and would say nothing of them.
        ends_here = raw.endswith(b"\r\n0\r\n\r\n") if self._chunked else len(raw) == head_end + 4 + (self._length or 0)
        if not ends_here:
            raise BrokenAnswer("more than an answer")
        return Answer(self._parser.get_status_code(), self._fields, self._body, self._may_keep)

    # What the parser calls; what is raised here comes out of `feed_data` as the context of its own error.

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name in _KEPT_FIELDS:
            earlier = self._fields.get(name)
            self._fields[name] = value if earlier is None else earlier + b", " + value
        elif name == b"content-length":
            self._length = int(value)
        elif name == b"transfer-encoding":
            if self._chunked or value.lower() != b"chunked":
                raise BrokenAnswer("a coding that is not supported")
            self._chunked = True

    def on_headers_complete(self) -> None:
        if self._complete:
            raise BrokenAnswer("more than an answer")
        if self._parser.get_http_version() != "1.1":
            raise BrokenAnswer("another version of HTTP")
        if self._parser.get_status_code() < 200:
            raise BrokenAnswer("an interim answer")
        if self._length is None and not self._chunked:
            raise BrokenAnswer("no length")
        if (self._length or 0) > MAX_BODY_BYTES:
            raise BrokenAnswer("too long a body")

    def on_body(self, part: bytes) -> None:
        self._body = self._body + part if self._body else part
        if len(self._raw) > MAX_HEAD_BYTES + MAX_BODY_BYTES:
            raise BrokenAnswer("too long a body")

    def on_message_complete(self) -> None:
        self._complete = True
        self._may_keep = self._parser.should_keep_alive()
