"""Configuration from the environment."""

import pytest
from pydantic import ValidationError

from latchkey_fastapi import Settings


def test_has_defaults_for_development() -> None:
    settings = Settings()
    assert settings.latchkey_url == "http://localhost:3001"
    assert settings.allowed_origins == ("http://localhost:3000",)
    assert (settings.port, settings.verify_cache_ttl_seconds) == (8000, 0)


def test_reads_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LATCHKEY_URL", "https://auth.example.com/")
    monkeypatch.setenv("ALLOWED_ORIGINS", " https://Docs.example.com/ ,http://[::1]:3000,http://a.example:80,")
    monkeypatch.setenv("VERIFY_TIMEOUT_SECONDS", "0.5")
    settings = Settings()
    assert settings.latchkey_url == "https://auth.example.com"
    assert settings.allowed_origins == ("https://docs.example.com", "http://[::1]:3000", "http://a.example")
    assert settings.verify_timeout_seconds == 0.5


def test_allows_no_origin_if_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLOWED_ORIGINS", "")
    assert Settings().allowed_origins == ()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LATCHKEY_URL", "auth.example.com"),
        ("LATCHKEY_URL", "ftp://auth.example.com"),
        ("LATCHKEY_URL", "http://user:pass@auth.example.com"),
        ("LATCHKEY_URL", "http://auth.example.com?x=1"),
        ("ALLOWED_ORIGINS", "*"),
        ("ALLOWED_ORIGINS", "null"),
        ("ALLOWED_ORIGINS", "localhost:3000"),
        ("ALLOWED_ORIGINS", "https://*.example.com"),
        ("ALLOWED_ORIGINS", "https://example.com/docs"),
        ("ALLOWED_ORIGINS", "https://user@example.com"),
        ("ALLOWED_ORIGINS", "https://bücher.example"),
        ("VERIFY_TIMEOUT_SECONDS", "0"),
        ("VERIFY_CACHE_TTL_SECONDS", "-1"),
        ("VERIFY_CACHE_TTL_SECONDS", "3600"),
        ("VERIFY_CACHE_MAX_ENTRIES", "0"),
    ],
)
def test_refuses(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError) as caught:
        Settings()
    assert [error["loc"][0] for error in caught.value.errors()] == [name.lower()]
