"""A server that answers what a test tells it to, and remembers what it was sent."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from ssl import SSLContext

Answer = Callable[[bytes], Awaitable[bytes | None]]
"""From a request's head to an answer; None closes the connection."""

IDENTITY: dict[str, dict[str, str | bool | None]] = {
    "user": {
        "id": "u1",
        "name": "Ann",
        "email": "ann@example.com",
        "emailVerified": False,
        "image": None,
        "createdAt": "2026-01-01T00:00:00.000Z",
        "updatedAt": "2026-01-01T00:00:00.000Z",
    },
    "session": {
        "id": "s1",
        "userId": "u1",
        "expiresAt": "2999-01-01T00:00:00.000Z",
        "createdAt": "2026-01-01T00:00:00.000Z",
        "updatedAt": "2026-01-01T00:00:00.000Z",
    },
}
VERIFIED = json.dumps({"valid": True, **IDENTITY})
REFUSED = json.dumps({"valid": False, "code": "SESSION_EXPIRED", "message": "The session has ended."})


def http(status: int, body: str = "", content_type: str = "application/json", **headers: str) -> bytes:
    """An HTTP/1.1 answer; `Retry_After="1"` makes a header."""
    fields = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    content = body.encode()
    head = f"HTTP/1.1 {status} X\r\nContent-Type: {content_type}\r\nContent-Length: {len(content)}\r\n{fields}\r\n"
    return head.encode() + content


def chunked(status: int, body: str) -> bytes:
    """The same in two chunks, as proxies pass answers on."""
    content = body.encode()
    half = len(content) // 2
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (content[:half], content[half:]))
    head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head.encode() + chunks + b"0\r\n\r\n"


def always(answer: bytes) -> Answer:
    async def respond(_head: bytes) -> bytes:
        return answer

    return respond


async def never(_head: bytes) -> bytes:
    await asyncio.Event().wait()
    raise AssertionError


async def unless_left(answer: Awaitable[bytes | None], reader: asyncio.StreamReader) -> bytes | None:
    """The answer, or None where the client, who has nothing more to say, closes before."""
    answering, leaving = asyncio.ensure_future(answer), asyncio.ensure_future(reader.read(1))
    try:
        await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
        return answering.result() if answering.done() else None
    finally:
        answering.cancel()
        leaving.cancel()
        await asyncio.wait({answering, leaving})


@dataclass
class Stub:
    url: str = ""
    answer: Answer = never
    heads: list[bytes] = field(default_factory=list)
    """Each request, from its line to the empty line."""
    connections: int = 0
    """How many were opened so far."""
    open: int = 0
    most_open: int = 0
    """At once."""
    writers: list[asyncio.StreamWriter] = field(default_factory=list)
    """Of every connection so far."""
    asked_by: dict[bytes, asyncio.StreamWriter] = field(default_factory=dict)
    """By a request's head, the connection on which it came last."""

    def send(self, head: bytes, part: bytes) -> None:
        """Sends part of an answer where the request came from, if it is still open."""
        if not self.asked_by[head].is_closing():
            self.asked_by[head].write(part)

    def header(self, index: int, name: bytes) -> list[bytes]:
        """The values of a header in the request number `index`."""
        lines = [line.partition(b":") for line in self.heads[index].split(b"\r\n")[1:]]
        return [value.strip() for key, _, value in lines if key.lower() == name]


@asynccontextmanager
async def stub_server(
    answer: Answer = never, *, keep_alive: bool = True, socket_path: Path | None = None, tls: SSLContext | None = None
) -> AsyncIterator[Stub]:
    stub = Stub(answer=answer)
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        stub.connections += 1
        stub.open += 1
        stub.most_open = max(stub.most_open, stub.open)
        stub.writers.append(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                stub.heads.append(head)
                stub.asked_by[head] = writer
                reply = await unless_left(stub.answer(head), reader)
                if reply is None or writer.is_closing():  # uvloop raises on writing to one
                    return
                writer.write(reply)
                await writer.drain()
                if not keep_alive:
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            stub.open -= 1
            writer.close()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    if socket_path is not None:
        server = await asyncio.start_unix_server(accept, socket_path)
        stub.url = f"unix:{socket_path}"
    else:
        server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls)
        port = server.sockets[0].getsockname()[1]
        stub.url = f"http://127.0.0.1:{port}" if tls is None else f"https://localhost:{port}"
    try:
        yield stub
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
