"""Asks latchkey who a request comes from."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pydantic import ValidationError

from .addresses import Address, parse_address
from .answers import Answer, BrokenAnswer
from .cache import IdentityCache
from .connections import ConnectionLost, ConnectionPool, open_connections
from .credentials import Credentials
from .models import Identity, Refusal, Refused, Verified
from .settings import Settings

RETRY_AFTER_SECONDS = 2


class LatchkeyUnavailable(Exception):
    """latchkey gave no answer, or something in between answered for it. Says nothing about the visitor."""

    def __init__(self, reason: str, retry_after: int = RETRY_AFTER_SECONDS) -> None:
        super().__init__(reason)
        self.retry_after = retry_after
        """Seconds."""


class Latchkey:
    """Checks credentials against `GET /api/auth/verify`; one for all requests of an event loop."""

    def __init__(self, connections: ConnectionPool, settings: Settings, cache: IdentityCache | None = None) -> None:
        self._connections = connections
        self._settings = settings
        self._cache = cache
        self._request = _request_start(parse_address(settings.latchkey_url))
        self._slots = asyncio.Semaphore(settings.verify_max_connections)
        self._waiting = 0

    async def verify(self, credentials: Credentials) -> Identity | Refusal:
        """Returns who it is, or latchkey's refusal; raises `LatchkeyUnavailable` for everything else."""
        if self._cache is None or not credentials:
            return _judge(await self._ask(credentials))
        key = credentials.digest()
        known = self._cache.get(key)
        if known is not None:
            return known
        asked_at = self._cache.now()
        verdict = _judge(await self._ask(credentials))
        if isinstance(verdict, Identity):
            self._cache.put(key, verdict, asked_at)
        return verdict

    async def _ask(self, credentials: Credentials) -> Answer:
        request = b"%b%b\r\n" % (self._request, credentials.lines())
        if self._slots.locked():
            await self._wait_for_slot()
        else:
            await self._slots.acquire()
        try:
            async with asyncio.timeout(self._settings.verify_timeout_seconds):
                return await self._connections.ask(request)
        except TimeoutError as error:
            raise LatchkeyUnavailable("no answer in time") from error
        except (BrokenAnswer, ConnectionLost) as error:
            raise LatchkeyUnavailable(str(error)) from error
        except OSError as error:
            raise LatchkeyUnavailable(f"no connection: {error}") from error
        finally:
            self._slots.release()

    async def _wait_for_slot(self) -> None:
        if self._waiting >= self._settings.verify_max_waiting:
            raise LatchkeyUnavailable("too many checks at once")
        self._waiting += 1
        try:
            async with asyncio.timeout(self._settings.verify_queue_timeout_seconds):
                await self._slots.acquire()
        except TimeoutError as error:
            raise LatchkeyUnavailable("too many checks at once") from error
        finally:
            self._waiting -= 1


@asynccontextmanager
async def open_latchkey(settings: Settings) -> AsyncIterator[Latchkey]:
    """Opens the connection pool of the running event loop, and closes it at the end."""
    cache = None
    if settings.verify_cache_ttl_seconds > 0:
        cache = IdentityCache(settings.verify_cache_ttl_seconds, settings.verify_cache_max_entries)
    async with open_connections(parse_address(settings.latchkey_url)) as connections:
        yield Latchkey(connections, settings, cache)


def _request_start(address: Address) -> bytes:
    """All of a request but the credentials and the empty line."""
    return (
        f"GET {address.base_path}/api/auth/verify HTTP/1.1\r\n"
        f"Host: {address.authority}\r\n"
        "Accept: application/json\r\n"
        "Accept-Encoding: identity\r\n"
        "User-Agent: latchkey-fastapi\r\n"
    ).encode("ascii")


def _judge(answer: Answer) -> Identity | Refusal:
    status = answer.status
    try:
        if status == 200 and (verified := Verified.model_validate_json(answer.body)).valid:
            return Identity(user=verified.user, session=verified.session)
        if status == 401 and not (refused := Refused.model_validate_json(answer.body)).valid:
            return Refusal(code=refused.code, message=refused.message, challenge=_challenge(answer))
    except ValidationError:
        # A proxy's login page, say. The cause would quote the body: it stays out of the logs.
        raise LatchkeyUnavailable(f"answered {status} with a body that is not latchkey's") from None
    raise LatchkeyUnavailable(f"answered {status}", _retry_after(answer))


def _challenge(answer: Answer) -> str:
    value = answer.fields.get(b"www-authenticate", b"")
    return value.decode("ascii") if value and value.isascii() else 'Bearer realm="latchkey"'


def _retry_after(answer: Answer) -> int:
    value = answer.fields.get(b"retry-after", b"")
    return int(value) if re.fullmatch(rb"[0-9]{1,4}", value) else RETRY_AFTER_SECONDS
