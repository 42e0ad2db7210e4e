"""Configuration from the environment."""

import pytest
from pydantic import ValidationError

from latchkey_fastapi import Settings
from latchkey_fastapi.addresses import Address, parse_address


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
        ("LATCHKEY_URL", "http://auth.example.com/#x"),
        ("LATCHKEY_URL", "http://auth.example.com/a b"),
        ("LATCHKEY_URL", "http://auth.exa\r\nmple.com"),
        ("LATCHKEY_URL", "http://auth.example.com/\r\nX: y"),
        ("LATCHKEY_URL", "http://bücher.example"),
        ("LATCHKEY_URL", "http://auth.example.com:0"),
        ("LATCHKEY_URL", "http://auth.example.com:65536"),
        ("LATCHKEY_URL", "http://"),
        ("LATCHKEY_URL", "http://auth..example"),
        ("LATCHKEY_URL", f"http://{'a' * 64}.example"),
        ("LATCHKEY_URL", "unix:"),
        ("LATCHKEY_URL", "unix:latchkey.sock"),
        ("LATCHKEY_URL", "unix:///run/latchkey.sock"),
        ("LATCHKEY_URL", "unix:/" + "a" * 107),
        ("VERIFY_MAX_WAITING", "-1"),
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


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://localhost:3001", Address("localhost", 3001, "", False, "localhost:3001", "")),
        ("http://localhost:80/", Address("localhost", 80, "", False, "localhost", "")),
        ("https://auth.example.com", Address("auth.example.com", 443, "", True, "auth.example.com", "")),
        ("https://a.example:8443/x/y/", Address("a.example", 8443, "", True, "a.example:8443", "/x/y")),
        ("http://[::1]:3001", Address("::1", 3001, "", False, "[::1]:3001", "")),
        ("unix:/run/latchkey/a b.sock", Address("", 0, "/run/latchkey/a b.sock", False, "localhost", "")),
    ],
)
def test_knows_where_latchkey_answers(url: str, address: Address) -> None:
    assert parse_address(Settings(latchkey_url=url).latchkey_url) == address
