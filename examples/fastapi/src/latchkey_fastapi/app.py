"""The example API."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Annotated

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from pydantic import BaseModel, StringConstraints

from .dependencies import AUTH_RESPONSES, OPTIONAL_AUTH_OPENAPI, MaybeSignedIn, SignedIn, latchkey_lifespan
from .models import Identity
from .settings import Settings


class Greeting(BaseModel):
    """What `/hello` says."""

    message: str


class NoteIn(BaseModel):
    """A note to make."""

    text: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]


class Note(NoteIn):
    """A note as made."""

    id: uuid.UUID
    author_id: str
    created_at: datetime


class Health(BaseModel):
    """Liveness of this process; it asks nobody else."""

    status: str


def create_app(settings: Settings | None = None) -> FastAPI:
    """Builds the app; without `settings` they come from the environment."""
    chosen = Settings() if settings is None else settings

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with latchkey_lifespan(app, chosen):
            yield

    app = FastAPI(title="latchkey example API", lifespan=lifespan)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=list(chosen.allowed_origins),
        allow_credentials=True,
        allow_methods=["GET", "POST"],
        allow_headers=["Authorization", "Content-Type"],
        expose_headers=["Retry-After", "WWW-Authenticate"],
    )

    @app.get("/me", responses=AUTH_RESPONSES)
    async def me(visitor: SignedIn) -> Identity:
        """Who you are."""
        return visitor

    @app.get(
        "/hello",
        responses={503: AUTH_RESPONSES[503]},
        openapi_extra=OPTIONAL_AUTH_OPENAPI,
    )
    async def hello(visitor: MaybeSignedIn) -> Greeting:
        """A greeting, by name if you are signed in."""
        return Greeting(message=f"Hello, {visitor.user.name if visitor else 'stranger'}!")

    @app.post("/notes", status_code=201, responses=AUTH_RESPONSES)
    async def add_note(note: NoteIn, visitor: SignedIn) -> Note:
        """Makes a note of yours (store it where you store things)."""
        return Note(id=uuid.uuid4(), text=note.text, author_id=visitor.user.id, created_at=datetime.now(UTC))

    @app.get("/healthz")
    async def healthz() -> Health:
        """Whether this process runs."""
        return Health(status="ok")

    return app
