"""A latchkey for tests: `latchkey testserver`, with users who are signed in.

Installed, the package is a plugin of pytest's, so that a test just takes the fixture::

    async def test_me(latchkey_testserver: RunningTestserver) -> None:
        settings = Settings(latchkey_url=latchkey_testserver.url)
        ann, ben = latchkey_testserver.users
        ...  # ask the app with ann.headers
"""

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

_START_SECONDS = 30
_END_SECONDS = 10
# The API's own, which a test may have set.
_NOT_PASSED_ON = ("PORT", "HOST")


@dataclass(frozen=True)
class SeededUser:
    """Somebody with an account, a known password and a live session."""

    id: str
    email: str
    name: str
    password: str
    cookie: str
    """`name=value`, as in a `Cookie` header."""

    @property
    def headers(self) -> dict[str, str]:
        return {"Cookie": self.cookie}


@dataclass(frozen=True)
class RunningTestserver:
    """Where it answers, and who there is."""

    url: str
    """To connect to, `http://127.0.0.1:port`."""
    base_url: str
    """For browsers, `http://localhost:port`."""
    users: tuple[SeededUser, ...]


@pytest.fixture(scope="session")
def latchkey_testserver() -> Iterator[RunningTestserver]:
    """One server for all tests, with two users."""
    with run_testserver() as server:
        yield server


@contextmanager
def run_testserver(users: int = 2, origins: Sequence[str] = ()) -> Iterator[RunningTestserver]:
    """Runs a server of its own. Nothing of it is left afterwards, nor after this process is killed.

    `origins` are the sites that may call it; without any, those that latchkey trusts by default. Its log goes to stderr,
    by `LOG_LEVEL`, which is `warn` here unless the environment says otherwise.

    Raises RuntimeError where there is no executable, or where it does not start.
    """
    arguments = ["testserver", "--users", str(users), *(part for origin in origins for part in ("--origin", origin))]
    environment = {name: value for name, value in os.environ.items() if name not in _NOT_PASSED_ON}
    process = subprocess.Popen(
        [_executable(), *arguments],
        env={"LOG_LEVEL": "warn", **environment},
        stdin=subprocess.PIPE,  # whose end it takes for that of this process
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    with process:
        try:
            yield _read(process)
        finally:
            process.terminate()
            try:
                process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


def _executable() -> str:
    """By `LATCHKEY_EXECUTABLE`, or else `latchkey` in the path."""
    name = os.environ.get("LATCHKEY_EXECUTABLE") or "latchkey"
    path = shutil.which(name)
    if path is None:
        raise RuntimeError(f"{name} is no executable: put latchkey into PATH, or name it by LATCHKEY_EXECUTABLE")
    return os.path.abspath(path)


def _read(process: "subprocess.Popen[str]") -> RunningTestserver:
    assert process.stdout is not None
    late = threading.Timer(_START_SECONDS, process.kill)
    late.start()
    try:
        line = process.stdout.readline()
    finally:
        late.cancel()
    if not line:
        raise RuntimeError(f"latchkey testserver ended with status {process.wait()}; why, it said on stderr")
    told = json.loads(line)
    users = tuple(
        SeededUser(**{field: user[field] for field in ("id", "email", "name", "password", "cookie")})
        for user in told["users"]
    )
    return RunningTestserver(told["url"], told["baseUrl"], users)
