"""The app and the real latchkey."""

import asyncio
import time

import httpx
import pytest
from support.api import open_api
from support.latchkey import COOKIE_NAME, DAY_MS, ORIGIN, LatchkeyProcess, Visitor

NO_SESSION = 'Bearer realm="latchkey"'
BAD_SESSION = 'Bearer realm="latchkey", error="invalid_token"'


def assert_refused(answer: httpx.Response, code: str, challenge: str) -> None:
    assert (answer.status_code, answer.json()["detail"]["code"]) == (401, code)
    assert answer.headers["www-authenticate"] == challenge
    assert answer.headers["cache-control"] == "no-store"
    assert "set-cookie" not in answer.headers


async def test_knows_who_is_signed_in(latchkey: LatchkeyProcess) -> None:
    ann = latchkey.sign_up("Änn O'Hara")
    async with open_api(latchkey.url) as api:
        me = await api.get("/me", headers=ann.cookie)
        hello = await api.get("/hello", headers=ann.cookie)
        note = await api.post("/notes", headers={"Origin": ORIGIN, **ann.cookie}, json={"text": " milk "})
    assert me.status_code == 200
    user, session = me.json()["user"], me.json()["session"]
    assert set(me.json()) == {"user", "session"}
    assert user == user | {"id": ann.user_id, "name": "Änn O'Hara", "email": ann.email, "emailVerified": False}
    assert set(session) == {"id", "userId", "expiresAt", "createdAt", "updatedAt"}
    assert session["userId"] == ann.user_id
    assert ann.token not in me.text
    assert me.headers["cache-control"] == "no-store"
    assert hello.json() == {"message": "Hello, Änn O'Hara!"}
    assert note.status_code == 201
    assert note.json() == note.json() | {"text": "milk", "author_id": ann.user_id}


async def test_takes_the_session_as_a_bearer(latchkey: LatchkeyProcess) -> None:
    ann = latchkey.sign_up()
    headers = {"Authorization": f"Bearer {ann.value}"}
    async with open_api(latchkey.url) as api:
        assert (await api.get("/me", headers=headers)).json()["user"]["id"] == ann.user_id
        assert (await api.post("/notes", headers=headers, json={"text": "x"})).status_code == 201
        assert_refused(await api.get("/me", headers={"Authorization": "Bearer x"}), "INVALID_SESSION", BAD_SESSION)


@pytest.mark.parametrize(
    ("headers", "code", "challenge"),
    [
        pytest.param({}, "NO_CREDENTIALS", NO_SESSION, id="anonymous"),
        pytest.param({"Cookie": "theme=dark"}, "NO_CREDENTIALS", NO_SESSION, id="another cookie"),
        pytest.param({"Cookie": f"{COOKIE_NAME}=garbage"}, "INVALID_SESSION", BAD_SESSION, id="garbage"),
        pytest.param({"Cookie": f"{COOKIE_NAME}=%ff%"}, "INVALID_SESSION", BAD_SESSION, id="bad escapes"),
        pytest.param({"Cookie": f"{COOKIE_NAME}=\x01"}, "NO_CREDENTIALS", NO_SESSION, id="control byte"),
        pytest.param({"Cookie": f"{COOKIE_NAME}={'a' * 30_000}"}, "NO_CREDENTIALS", NO_SESSION, id="huge cookie"),
        pytest.param({"Authorization": "x" * 30_000}, "NO_CREDENTIALS", NO_SESSION, id="huge bearer"),
        pytest.param(
            {
                "Cookie": f"{COOKIE_NAME}={'a' * 4096}; __Secure-{COOKIE_NAME}={'a' * 4096}",
                "Authorization": "x" * 4096,
            },
            "INVALID_SESSION",
            BAD_SESSION,
            id="as much as is forwarded",
        ),
    ],
)
async def test_refuses(latchkey: LatchkeyProcess, headers: dict[str, str], code: str, challenge: str) -> None:
    async with open_api(latchkey.url) as api:
        assert_refused(await api.get("/me", headers=headers), code, challenge)
        hello = await api.get("/hello", headers=headers)
    assert (hello.status_code, hello.json()) == (200, {"message": "Hello, stranger!"})
    assert "www-authenticate" not in hello.headers


async def test_refuses_a_tampered_session(latchkey: LatchkeyProcess) -> None:
    ann = latchkey.sign_up()
    other = "B" if ann.value[0] == "A" else "A"
    async with open_api(latchkey.url) as api:
        answer = await api.get("/me", headers={"Cookie": f"{COOKIE_NAME}={other}{ann.value[1:]}"})
    assert_refused(answer, "INVALID_SESSION", BAD_SESSION)


async def test_takes_the_first_of_duplicates(latchkey: LatchkeyProcess) -> None:
    ann, bob = latchkey.sign_up(), latchkey.sign_up()
    pairs = [f"{COOKIE_NAME}={value}" for value in (ann.value, bob.value, "garbage")]
    async with open_api(latchkey.url) as api:
        answer = await api.get("/me", headers={"Cookie": "a=b; " + "; ".join(pairs)})
        assert answer.json()["user"]["id"] == ann.user_id
        assert_refused(
            await api.get("/me", headers={"Cookie": "; ".join(reversed(pairs))}), "INVALID_SESSION", BAD_SESSION
        )


async def test_refuses_an_expired_session(latchkey: LatchkeyProcess) -> None:
    ann = latchkey.sign_up()
    async with open_api(latchkey.url) as api:
        assert (await api.get("/me", headers=ann.cookie)).status_code == 200
        latchkey.set_expiry(ann, int(time.time() * 1000) - 1)
        assert_refused(await api.get("/me", headers=ann.cookie), "SESSION_EXPIRED", BAD_SESSION)
        assert (await api.get("/hello", headers=ann.cookie)).json() == {"message": "Hello, stranger!"}


async def test_refuses_a_revoked_session_at_once(latchkey: LatchkeyProcess) -> None:
    ann = latchkey.sign_up()
    async with open_api(latchkey.url) as api:
        assert (await api.get("/me", headers=ann.cookie)).status_code == 200
        latchkey.sign_out(ann)
        assert_refused(await api.get("/me", headers=ann.cookie), "SESSION_EXPIRED", BAD_SESSION)


async def test_never_mixes_users_up_in_a_burst(latchkey: LatchkeyProcess) -> None:
    users = [latchkey.sign_up(f"User {number}") for number in range(10)]
    anonymous = 11  # every so many requests
    async with open_api(latchkey.url) as api:

        async def ask(number: int) -> None:
            visitor: Visitor | None = None if number % anonymous == 0 else users[number % len(users)]
            answer = await api.get("/me", headers=visitor.cookie if visitor else {})
            expected = (200, visitor.email) if visitor else (401, None)
            assert (answer.status_code, answer.json().get("user", {}).get("email")) == expected

        await asyncio.gather(*(ask(number) for number in range(500)))


async def test_does_not_refresh_an_aged_session(latchkey: LatchkeyProcess) -> None:
    ann = latchkey.sign_up()
    due = int(time.time() * 1000) + 5 * DAY_MS
    latchkey.set_expiry(ann, due)
    async with open_api(latchkey.url) as api:
        assert (await api.get("/me", headers=ann.cookie)).status_code == 200
        assert_refused(await api.get("/me"), "NO_CREDENTIALS", NO_SESSION)
    assert latchkey.expiry(ann) == due
    # It was due: upstream's route, which the browser calls, does refresh it.
    refreshed = httpx.get(f"{latchkey.url}/api/auth/get-session", headers=ann.cookie, trust_env=False)
    assert COOKIE_NAME in refreshed.headers["set-cookie"]
    assert latchkey.expiry(ann) > due
