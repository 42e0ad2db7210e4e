"""The fixture that the package has for other people's tests."""

import os
from pathlib import Path

import httpx
import pytest
from support.api import open_api

from latchkey_fastapi.testing import RunningTestserver, run_testserver


async def test_its_users_are_signed_in(latchkey_testserver: RunningTestserver) -> None:
    ann, ben = latchkey_testserver.users
    async with open_api(latchkey_testserver.url) as api:
        for user in (ann, ben):
            me = await api.get("/me", headers=user.headers)
            assert (me.status_code, me.json()["user"]["id"], me.json()["user"]["email"]) == (200, user.id, user.email)
        assert (await api.get("/me")).status_code == 401
        assert (await api.get("/me", headers={"Cookie": ann.cookie[:-8]})).status_code == 401


async def test_they_sign_in_by_their_password(latchkey_testserver: RunningTestserver) -> None:
    _, ben = latchkey_testserver.users
    async with httpx.AsyncClient(base_url=latchkey_testserver.url, trust_env=False) as browser:
        answer = await browser.post("/api/auth/sign-in/email", json={"email": ben.email, "password": ben.password})
    assert (answer.status_code, answer.json()["user"]["id"]) == (200, ben.id)


async def test_each_run_is_another_server(
    latchkey_testserver: RunningTestserver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("PORT", "1")
    site = "https://app.example.com"
    with run_testserver(users=1, origins=[site]) as other:
        assert other.url != latchkey_testserver.url
        (only,) = other.users
        headers = {**only.headers, "Origin": site}
        answer = httpx.get(f"{other.url}/api/auth/get-session", headers=headers, trust_env=False)
        assert answer.headers["access-control-allow-origin"] == site
        assert answer.json()["user"]["id"] == only.id
        assert len(os.listdir(tmp_path)) == 1
    assert os.listdir(tmp_path) == []


def test_it_says_when_there_is_no_executable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LATCHKEY_EXECUTABLE", "/nonexistent/latchkey")
    with pytest.raises(RuntimeError, match="/nonexistent/latchkey is no executable: .* LATCHKEY_EXECUTABLE"):
        with run_testserver():
            pass


def test_it_says_when_it_does_not_start(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RuntimeError, match="ended with status 2"):
        with run_testserver(users=0):
            pass
    assert "Error: option '--users <n>' argument '0' is invalid" in capfd.readouterr().err
