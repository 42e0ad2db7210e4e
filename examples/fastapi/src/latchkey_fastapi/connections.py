"""Connections to latchkey that are kept, one request at a time on each."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

from .addresses import Address
from .answers import Answer, AnswerReader, BrokenAnswer

IDLE_SECONDS = 30.0
"""A connection that rested longer is not used again: a firewall may have forgotten it."""


CLOSE_SECONDS = 1.0


class ConnectionLost(Exception):
    """The connection ended before its answer was whole."""

    def __init__(self, *, had_begun: bool) -> None:
        super().__init__("the connection broke" if had_begun else "the connection closed without an answer")
        self.had_begun = had_begun
        """Whether any of the answer had come."""


class _Connection(asyncio.Protocol):
    """A connection and at most one question on it.

    Whatever is not the answer to that question closes it: else it could be taken for the answer to the next one, which
    is another visitor's.
    """

    def __init__(self, pool: "ConnectionPool", loop: asyncio.AbstractEventLoop) -> None:
        self._pool = pool
        self._loop = loop
        self._reader = AnswerReader()
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[Answer] | None = None
        self._aborted = False
        self.idle_since = 0.0

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._aborted and not self._transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are none by class
        self._pool.on_made(self)

    def data_received(self, data: bytes) -> None:
        waiter = self._waiter
        if waiter is None or waiter.done():
            self.abort()
            return
        try:
            answer = self._reader.feed(data)
        except BrokenAnswer as error:
            waiter.set_exception(error)  # for which the connection is aborted
            return
        if answer is not None:
            self._waiter = None
            waiter.set_result(answer)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(ConnectionLost(had_begun=self._reader.has_begun))
        self._pool.on_lost(self)

    async def ask(self, request: bytes) -> Answer:
        """Sends `request` and waits for its answer; the caller aborts the connection if that raises anything."""
        if self._transport is None or not self.is_open:
            raise ConnectionLost(had_begun=False)
        self._reader.reset()
        waiter: asyncio.Future[Answer] = self._loop.create_future()
        self._waiter = waiter
        self._transport.write(request)
        return await waiter

    def abort(self) -> None:
        """Closes it now, at any time and any number of times."""
        self._aborted = True
        if self._transport is not None:
            self._transport.abort()


class ConnectionPool:
    """Asks one server, over connections of its own; used by the event loop that opened it and by no other.

    It sets no limit and no time: as many connections exist as there are questions at once.
    """

    def __init__(self, address: Address) -> None:
        self._address = address
        self._loop = asyncio.get_running_loop()
        # The system's certificates, or those that SSL_CERT_FILE names.
        self._tls = _tls_context() if address.has_tls else None
        self._idle: list[_Connection] = []
        self._made: set[_Connection] = set()
        self._drained: asyncio.Future[None] | None = None
        self._closed = False

    def __len__(self) -> int:
        """How many connections there are, resting or in use."""
        return len(self._made)

    async def ask(self, request: bytes) -> Answer:
        """Returns the answer to `request`, which must be safe to send twice.

        It is, once, when a connection closes before any of the answer came: latchkey restarts, or closes a kept one
        just as it is taken.

        Raises:
            BrokenAnswer: no answer that may be believed.
            ConnectionLost: both times, or once within the answer.
            OSError: no connection, no name, no trust.
        """
        try:
            return await self._ask_on(self._take() or await self._open(), request)
        except ConnectionLost as error:
            if error.had_begun:
                raise
        return await self._ask_on(await self._open(), request)

    async def _ask_on(self, connection: _Connection, request: bytes) -> Answer:
        try:
            answer = await connection.ask(request)
        except BaseException:
            # Cancelled, or out of time: the answer may still come, and must find nobody.
            connection.abort()
            raise
        if answer.may_keep and connection.is_open and not self._closed:
            connection.idle_since = self._loop.time()
            self._idle.append(connection)
        else:
            connection.abort()
        return answer

    def _take(self) -> _Connection | None:
        """The connection that was used last, so that those of a burst grow old."""
        if asyncio.get_running_loop() is not self._loop:
            raise RuntimeError("the connections to latchkey belong to another event loop")
        oldest = self._loop.time() - IDLE_SECONDS
        while self._idle and self._idle[0].idle_since < oldest:
            self._idle.pop(0).abort()
        while self._idle:
            if (newest := self._idle.pop()).is_open:
                return newest
        return None

    async def _open(self) -> _Connection:
        if self._closed:
            raise ConnectionAbortedError("closed")
        address, connection = self._address, _Connection(self, self._loop)
        try:
            if address.socket_path:
                await self._loop.create_unix_connection(lambda: connection, address.socket_path)
            else:
                # Without TLS there is no name to compare, and both must be None.
                await self._loop.create_connection(lambda: connection, address.host, address.port, ssl=self._tls)
        except BaseException:
            # The loop closes what it had made: uvloop, cancelled just then, without a word to us.
            self.on_lost(connection)
            raise
        return connection

    def on_made(self, connection: _Connection) -> None:
        self._made.add(connection)
        if self._closed:
            connection.abort()

    def on_lost(self, connection: _Connection) -> None:
        self._made.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        if self._drained is not None and not self._made and not self._drained.done():
            self._drained.set_result(None)

    async def close(self) -> None:
        """Closes every connection, also those in use, and returns when they are closed."""
        self._closed = True
        self._idle.clear()
        if self._made:
            self._drained = self._loop.create_future()
            for connection in tuple(self._made):
                connection.abort()
            # A turn or two of the loop. Bounded, as nothing is worth a shutdown that never ends.
            await asyncio.wait([self._drained], timeout=CLOSE_SECONDS)


@asynccontextmanager
async def open_connections(address: Address) -> AsyncIterator[ConnectionPool]:
    """A pool for the running event loop, closed at the end."""
    pool = ConnectionPool(address)
    try:
        yield pool
    finally:
        await pool.close()


def _tls_context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context
