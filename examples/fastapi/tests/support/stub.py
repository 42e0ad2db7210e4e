"""A server that answers what a test tells it to, and remembers what it was sent."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

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


def always(answer: bytes) -> Answer:
    async def respond(_head: bytes) -> bytes:
        return answer

    return respond


async def never(_head: bytes) -> bytes:
    await asyncio.Event().wait()
    raise AssertionError


@dataclass
class Stub:
    url: str = ""
    answer: Answer = never
    heads: list[bytes] = field(default_factory=list)
    """Each request, from its line to the empty line."""
    connections: int = 0

    def header(self, index: int, name: bytes) -> list[bytes]:
        """The values of a header in the request number `index`."""
        lines = [line.partition(b":") for line in self.heads[index].split(b"\r\n")[1:]]
        return [value.strip() for key, _, value in lines if key.lower() == name]


@asynccontextmanager
async def stub_server(answer: Answer = never, *, keep_alive: bool = True) -> AsyncIterator[Stub]:
    stub = Stub(answer=answer)
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        stub.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                stub.heads.append(head)
                reply = await stub.answer(head)
                if reply is None:
                    return
                writer.write(reply)
                await writer.drain()
                if not keep_alive:
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    stub.url = "http://127.0.0.1:%d" % server.sockets[0].getsockname()[1]
    try:
        yield stub
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
