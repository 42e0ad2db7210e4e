"""`python -m latchkey_fastapi`, over a real socket."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from support.latchkey import LatchkeyProcess

SOURCE = Path(__file__).parent.parent / "src"


@pytest.fixture
def api_url(latchkey: LatchkeyProcess, tmp_path: Path) -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "latchkey_fastapi"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(SOURCE), "PORT": "0", "LATCHKEY_URL": latchkey.url, "PATH": os.environ["PATH"]},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    with process.stderr:
        try:
            for line in process.stderr:
                if listening := re.search(r"running on (http://\S+)", line):
                    yield listening[1]
                    break
            else:
                raise AssertionError("the app ended")
        finally:
            process.terminate()
            process.wait(20)


def test_serves(latchkey: LatchkeyProcess, api_url: str) -> None:
    ann = latchkey.sign_up()
    assert not api_url.endswith(":8000")  # PORT=0
    with httpx.Client(base_url=api_url, trust_env=False) as api:
        assert api.get("/me", headers=ann.cookie).json()["user"]["id"] == ann.user_id
        anonymous = api.get("/me")
        assert (anonymous.status_code, anonymous.headers["www-authenticate"]) == (401, 'Bearer realm="latchkey"')
        assert api.post("/notes", headers=ann.cookie, json={"text": "x"}).status_code == 403
        assert api.get("/healthz").json() == {"status": "ok"}
