"""Configuration from the environment; every field is the variable of the same name in capitals."""

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from .addresses import parse_address
from .origins import normalize_origin


def _split(value: object) -> object:
    if not isinstance(value, str):
        return value
    return tuple(part for part in (part.strip() for part in value.split(",")) if part)


def _base_url(value: str) -> str:
    parse_address(value)
    return value.rstrip("/")


class Settings(BaseSettings):
    """Validated settings; a bad value raises `ValidationError` with every problem."""

    model_config = SettingsConfigDict(frozen=True)

    latchkey_url: Annotated[str, AfterValidator(_base_url)] = "http://localhost:3001"
    """Where latchkey answers, seen from this server: `http://host:port`, `https://host`, or `unix:/path` of a socket.

    Redirects are not followed. https is checked against the system's certificates, or those that `SSL_CERT_FILE` names.
    """

    allowed_origins: Annotated[
        tuple[Annotated[str, AfterValidator(normalize_origin)], ...], NoDecode, BeforeValidator(_split)
    ] = ("http://localhost:3000",)
    """Comma-separated exact origins of sites that may call this API with the visitor's cookie."""

    verify_timeout_seconds: float = Field(default=7.0, gt=0, le=60)
    """One check, connecting included. latchkey itself gives up after 1 s, or 6 s where its database had to be woken."""

    verify_queue_timeout_seconds: float = Field(default=7.0, gt=0, le=60)
    """How long a check may wait for a free connection before that, in a burst."""

    verify_max_connections: int = Field(default=10, ge=1)
    """To latchkey, by each process. As many checks run at once."""

    verify_max_waiting: int = Field(default=1000, ge=0)
    """How many checks may wait for one of those at once; the next is told at once that there are too many."""

    verify_cache_ttl_seconds: float = Field(default=0.0, ge=0, le=60)
    """0 is off. Otherwise a revoked session lives on here for up to this long."""

    verify_cache_max_entries: int = Field(default=10_000, ge=1)

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
