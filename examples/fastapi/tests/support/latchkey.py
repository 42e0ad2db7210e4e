"""The real latchkey executable, and visitors with real sessions."""

import itertools
import json
import os
import queue
import sqlite3
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx

ORIGIN = "http://localhost:3000"
COOKIE_NAME = "better-auth.session_token"
DAY_MS = 86_400_000
_READY_SECONDS = 30
_visitor_numbers = itertools.count(1)


@dataclass(frozen=True)
class Visitor:
    """Someone with a live session; `value` is the cookie's, as in Set-Cookie."""

    email: str
    user_id: str
    token: str
    value: str

    @property
    def cookie(self) -> dict[str, str]:
        return {"Cookie": f"{COOKIE_NAME}={self.value}"}


class LatchkeyProcess:
    """A server on a free port of its own, with SQLite in `directory`; it restarts on the same port."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._process: subprocess.Popen[str] | None = None
        self._port = 0
        self.url = ""

    def start(self) -> None:
        process = subprocess.Popen(
            [str(Path(os.environ["LATCHKEY_EXECUTABLE"]).resolve())],
            cwd=self._directory,
            env={
                "PORT": str(self._port),
                "LATCHKEY_LOG_FORMAT": "json",
                "LATCHKEY_BEARER": "signed",
                # Each sign-up comes from an address of its own: no rate limit is met.
                "LATCHKEY_TRUSTED_PROXIES": "127.0.0.1/32",
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._process = process
        lines: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=_drain, args=(process, lines), daemon=True).start()
        seen: list[str] = []
        deadline = time.monotonic() + _READY_SECONDS
        try:
            while not self._is_ready(line := lines.get(timeout=max(0.0, deadline - time.monotonic()))):
                seen.append(line or "")
                if line is None:
                    raise RuntimeError("latchkey exited:\n" + "".join(seen))
        except queue.Empty:
            raise RuntimeError("latchkey is not listening:\n" + "".join(seen)) from None

    def _is_ready(self, line: str | None) -> bool:
        if line is None or not line.startswith("{"):
            return False
        entry = json.loads(line)
        if entry.get("msg") != "listening":
            return False
        self.url = entry["url"].rstrip("/")
        self._port = urlsplit(self.url).port or 0
        return True

    def kill(self) -> None:
        """SIGKILL; waits for the end."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            if self._process.stderr is not None:
                self._process.stderr.close()
            self._process = None

    def sign_up(self, name: str = "Ann Example") -> Visitor:
        number = next(_visitor_numbers)
        email = f"visitor{number}@example.com"
        answer = httpx.post(
            f"{self.url}/api/auth/sign-up/email",
            json={"name": name, "email": email, "password": "correct horse battery"},
            headers={"Origin": ORIGIN, "X-Forwarded-For": f"203.0.{number // 250}.{number % 250 + 1}"},
            trust_env=False,
            timeout=20,
        )
        answer.raise_for_status()
        value = answer.headers["set-cookie"].split(";")[0].partition("=")[2]
        return Visitor(email, answer.json()["user"]["id"], answer.json()["token"], value)

    def sign_out(self, visitor: Visitor) -> None:
        headers = {"Origin": ORIGIN, **visitor.cookie}
        httpx.post(f"{self.url}/api/auth/sign-out", headers=headers, trust_env=False).raise_for_status()

    def set_expiry(self, visitor: Visitor, expires_at_ms: int) -> None:
        """Changes the row from outside, as time would."""
        with self._database() as database:
            cursor = database.execute(
                "UPDATE session SET expires_at = ?, updated_at = ? WHERE token = ?",
                (expires_at_ms, expires_at_ms - 7 * DAY_MS, visitor.token),
            )
            assert cursor.rowcount == 1
        database.close()

    def expiry(self, visitor: Visitor) -> int:
        with self._database() as database:
            row = database.execute("SELECT expires_at FROM session WHERE token = ?", (visitor.token,)).fetchone()
        database.close()
        return int(row[0])

    def _database(self) -> sqlite3.Connection:
        return sqlite3.connect(self._directory / "data" / "latchkey.db", timeout=10)


def _drain(process: "subprocess.Popen[str]", lines: "queue.Queue[str | None]") -> None:
    assert process.stderr is not None
    try:
        for line in process.stderr:
            lines.put(line)
    except ValueError:  # closed by kill()
        pass
    lines.put(None)
