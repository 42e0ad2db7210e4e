"""`python -m latchkey_fastapi`: serves the example app on HOST and PORT."""

import uvicorn

from .app import create_app
from .settings import Settings


def main() -> None:
    """Reads the settings from the environment and serves until a signal."""
    settings = Settings()
    uvicorn.run(create_app(settings), host=settings.host, port=settings.port)


if __name__ == "__main__":
    main()
