"""Fixtures shared by all tests."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.latchkey import LatchkeyProcess

# As installed, pytest finds it by itself; here the package is a folder.
pytest_plugins = ["latchkey_fastapi.testing"]

# Whoever ends the tests gets their servers ended too.
signal.signal(signal.SIGTERM, signal.default_int_handler)

_SETTINGS = ("LATCHKEY_URL", "ALLOWED_ORIGINS", "HOST", "PORT")


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    """Every test runs on both event loops: they differ in how they connect, close and cancel."""
    return "asyncio", {"use_uvloop": request.param}


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("VERIFY_") or name in _SETTINGS or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def latchkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LatchkeyProcess]:
    """One server for all tests that leave it running."""
    yield from _run(tmp_path_factory.mktemp("latchkey"))


@pytest.fixture
def own_latchkey(tmp_path: Path) -> Iterator[LatchkeyProcess]:
    """A server that the test may kill."""
    yield from _run(tmp_path)


def _run(directory: Path) -> Iterator[LatchkeyProcess]:
    if not os.environ.get("LATCHKEY_EXECUTABLE"):
        pytest.exit("set LATCHKEY_EXECUTABLE to the latchkey executable, e.g. ../../dist/latchkey", returncode=2)
    process = LatchkeyProcess(directory)
    try:
        process.start()
        yield process
    finally:
        process.kill()
