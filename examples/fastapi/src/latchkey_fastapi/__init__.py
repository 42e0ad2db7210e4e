"""Signed-in users from latchkey, as FastAPI dependencies.

Open it in the lifespan, then annotate the parameters::

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with latchkey_lifespan(app, Settings()):
            yield

    @app.get("/me")
    async def me(visitor: SignedIn) -> User:
        return visitor.user

`LatchkeyMiddleware` does the same for Starlette.
"""

from .client import Latchkey, LatchkeyUnavailable, open_latchkey
from .credentials import Credentials
from .dependencies import (
    AUTH_RESPONSES,
    OPTIONAL_AUTH_OPENAPI,
    MaybeSignedIn,
    SignedIn,
    latchkey_lifespan,
    optional,
    required,
)
from .middleware import LatchkeyMiddleware
from .models import Identity, Refusal, Session, User
from .settings import Settings

__all__ = [
    "AUTH_RESPONSES",
    "OPTIONAL_AUTH_OPENAPI",
    "Credentials",
    "Identity",
    "Latchkey",
    "LatchkeyMiddleware",
    "LatchkeyUnavailable",
    "MaybeSignedIn",
    "Refusal",
    "Session",
    "Settings",
    "SignedIn",
    "User",
    "latchkey_lifespan",
    "open_latchkey",
    "optional",
    "required",
]
