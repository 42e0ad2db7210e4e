"""Asks latchkey who a request comes from."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy

import anyio
import httpx
from pydantic import ValidationError

from .cache import IdentityCache
from .credentials import Credentials
from .models import Identity, Refusal, Refused, Verified
from .settings import Settings

RETRY_AFTER_SECONDS = 2
MAX_BODY_BYTES = 64 * 1024

_BROKEN_CONNECTION = (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError)


class LatchkeyUnavailable(Exception):
    """latchkey gave no answer, or something in between answered for it. Says nothing about the visitor."""

    def __init__(self, reason: str, retry_after: int = RETRY_AFTER_SECONDS) -> None:
        super().__init__(reason)
        self.retry_after = retry_after
        """Seconds."""


class Latchkey:
    """Checks credentials against `GET /api/auth/verify`; one for all requests."""

    def __init__(self, http: httpx.AsyncClient, settings: Settings, cache: IdentityCache | None = None) -> None:
        self._http = http
        self._settings = settings
        self._cache = cache
        # Not the pool's own limit: its queue takes quadratic time (500 requests at once would hold each other up for
        # seconds), and it counts a connection for ever whose request is cancelled just as it gets it.
        self._slots = asyncio.Semaphore(settings.verify_max_connections)

    async def verify(self, credentials: Credentials) -> Identity | Refusal:
        """Returns who it is, or latchkey's refusal; raises `LatchkeyUnavailable` for everything else."""
        if self._cache is None or not credentials:
            return _judge(*await self._ask(credentials))
        key = credentials.digest()
        known = self._cache.get(key)
        if known is not None:
            return known
        asked_at = self._cache.now()
        verdict = _judge(*await self._ask(credentials))
        if isinstance(verdict, Identity):
            self._cache.put(key, verdict, asked_at)
        return verdict

    async def _ask(self, credentials: Credentials) -> tuple[httpx.Response, bytes]:
        try:
            async with asyncio.timeout(self._settings.verify_queue_timeout_seconds):
                await self._slots.acquire()
        except TimeoutError as error:
            raise LatchkeyUnavailable("too many checks at once") from error
        try:
            # httpx's own timeouts start again with every byte. By anyio: httpcore leaks connections when asyncio's
            # own cancellation interrupts it, as it takes anyio's locks.
            with anyio.fail_after(self._settings.verify_timeout_seconds):
                return await self._get_twice(credentials)
        except TimeoutError as error:
            raise LatchkeyUnavailable("no answer in time") from error
        except httpx.HTTPError as error:
            raise LatchkeyUnavailable(f"{type(error).__name__}: {error}") from error
        finally:
            self._slots.release()

    async def _get_twice(self, credentials: Credentials) -> tuple[httpx.Response, bytes]:
        try:
            return await self._get(credentials)
        except _BROKEN_CONNECTION:
            # A kept connection may close just as it is taken (latchkey restarts). verify only reads: ask again.
            return await self._get(credentials)

    async def _get(self, credentials: Credentials) -> tuple[httpx.Response, bytes]:
        async with self._http.stream("GET", "/api/auth/verify", headers=credentials.headers()) as response:
            body = bytearray()
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    raise LatchkeyUnavailable(f"answered {response.status_code} with too long a body")
            return response, bytes(body)


@asynccontextmanager
async def open_latchkey(settings: Settings) -> AsyncIterator[Latchkey]:
    """Opens the connection pool and closes it at the end."""
    cache = None
    if settings.verify_cache_ttl_seconds > 0:
        cache = IdentityCache(settings.verify_cache_ttl_seconds, settings.verify_cache_max_entries)
    async with httpx.AsyncClient(
        base_url=settings.latchkey_url,
        # A shared client that kept one visitor's cookie would sign the next one in with it.
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        follow_redirects=False,
        # No HTTP_PROXY (it would see the sessions), no .netrc.
        trust_env=False,
        headers={"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "latchkey-fastapi"},
        timeout=settings.verify_timeout_seconds,
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=None, keepalive_expiry=30),
    ) as http:
        yield Latchkey(http, settings, cache)


def _judge(response: httpx.Response, body: bytes) -> Identity | Refusal:
    status = response.status_code
    try:
        if status == 200 and (verified := Verified.model_validate_json(body)).valid:
            return Identity(user=verified.user, session=verified.session)
        if status == 401 and not (refused := Refused.model_validate_json(body)).valid:
            return Refusal(code=refused.code, message=refused.message, challenge=_challenge(response))
    except ValidationError:
        # A proxy's login page, say. The cause would quote the body: it stays out of the logs.
        raise LatchkeyUnavailable(f"answered {status} with a body that is not latchkey's") from None
    raise LatchkeyUnavailable(f"answered {status}", _retry_after(response))


def _challenge(response: httpx.Response) -> str:
    value = response.headers.get("www-authenticate", "")
    return value if value and value.isascii() else 'Bearer realm="latchkey"'


def _retry_after(response: httpx.Response) -> int:
    value = response.headers.get("retry-after", "")
    return int(value) if re.fullmatch(r"[0-9]{1,4}", value) else RETRY_AFTER_SECONDS
