"""Who may pass: what the dependencies and the middleware have in common."""

import logging
from collections.abc import Collection, Sequence

from .client import Latchkey, LatchkeyUnavailable
from .credentials import read_credentials
from .models import Identity, Refusal
from .origins import is_allowed

NO_STORE = {"Cache-Control": "no-store"}

_logger = logging.getLogger("latchkey_fastapi")


class Denial(Exception):
    """An answer to send instead of the route's."""

    def __init__(self, status: int, code: str, message: str, headers: dict[str, str]) -> None:
        super().__init__(code)
        self.status = status
        self.detail = {"code": code, "message": message}
        self.headers = {**NO_STORE, **headers}


class Gate:
    """Asks latchkey about requests, and refuses those that another site forged."""

    def __init__(self, latchkey: Latchkey, allowed_origins: Collection[str]) -> None:
        self._latchkey = latchkey
        self._allowed_origins = frozenset(allowed_origins)

    async def require(self, method: str, headers: Sequence[tuple[bytes, bytes]]) -> Identity:
        """Returns who is signed in.

        Raises:
            Denial: 401 for nobody, 503 when latchkey cannot tell, 403 for a forged request.
        """
        verdict = await self._judge(method, headers, asks_for_strangers=True)
        if isinstance(verdict, Identity):
            return verdict
        assert verdict is not None
        raise Denial(401, verdict.code, verdict.message, {"WWW-Authenticate": verdict.challenge})

    async def recognize(self, method: str, headers: Sequence[tuple[bytes, bytes]]) -> Identity | None:
        """Returns who is signed in, or None; a visitor without credentials costs no call.

        Raises:
            Denial: 503 when latchkey cannot tell, 403 for a forged request.
        """
        verdict = await self._judge(method, headers, asks_for_strangers=False)
        return verdict if isinstance(verdict, Identity) else None

    async def _judge(
        self, method: str, headers: Sequence[tuple[bytes, bytes]], *, asks_for_strangers: bool
    ) -> Identity | Refusal | None:
        credentials = read_credentials(headers)
        if credentials.cookie is not None and not is_allowed(method, headers, self._allowed_origins):
            raise Denial(403, "ORIGIN_NOT_ALLOWED", "This origin may not use the session cookie here.", {})
        if not credentials and not asks_for_strangers:
            return None
        try:
            return await self._latchkey.verify(credentials)
        except LatchkeyUnavailable as error:
            _logger.warning("latchkey cannot be asked: %s", error)
            headers_of_outage = {"Retry-After": str(error.retry_after)}
            raise Denial(503, "AUTH_UNAVAILABLE", "Sessions cannot be checked now.", headers_of_outage) from error
