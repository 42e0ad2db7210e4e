"""The example app, in this process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from latchkey_fastapi.app import create_app
from latchkey_fastapi.settings import Settings


@asynccontextmanager
async def open_api(latchkey_url: str, **settings: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an app that asks `latchkey_url`."""
    app = create_app(
        Settings(
            latchkey_url=latchkey_url, **{"verify_timeout_seconds": 20, "verify_queue_timeout_seconds": 60, **settings}
        )
    )
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://api.test", trust_env=False) as client:
            yield client


def assert_outage(answer: httpx.Response, retry_after: str = "2") -> None:
    """503, to be tried again, and nothing that a client could take for a sign-out."""
    assert (answer.status_code, answer.headers["retry-after"]) == (503, retry_after)
    assert answer.json() == {"detail": {"code": "AUTH_UNAVAILABLE", "message": "Sessions cannot be checked now."}}
    assert "www-authenticate" not in answer.headers
    assert "set-cookie" not in answer.headers
    assert answer.headers["cache-control"] == "no-store"
