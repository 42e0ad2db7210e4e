"""`/docs` and the document behind it."""

from fastapi import FastAPI
from fastapi.testclient import TestClient
from support.api import open_api
from support.stub import VERIFIED

from latchkey_fastapi import Identity, MaybeSignedIn, SignedIn, optional, required
from latchkey_fastapi.models import Verified


async def test_declares_the_security_schemes() -> None:
    async with open_api("http://127.0.0.1:9") as api:
        document = (await api.get("/openapi.json")).json()
        page = await api.get("/docs")
    schemes = document["components"]["securitySchemes"]
    for scheme in schemes.values():
        assert scheme.pop("description")
    assert schemes == {
        "sessionCookie": {"type": "apiKey", "in": "cookie", "name": "better-auth.session_token"},
        "bearer": {"type": "http", "scheme": "bearer"},
    }
    either: list[dict[str, list[str]]] = [{"sessionCookie": []}, {"bearer": []}]
    paths = document["paths"]
    assert paths["/me"]["get"]["security"] == either
    assert paths["/notes"]["post"]["security"] == either
    assert sorted(map(str, paths["/hello"]["get"]["security"])) == sorted(map(str, [*either, {}]))
    assert "security" not in paths["/healthz"]["get"]
    assert {"200", "401", "403", "503"} <= set(paths["/me"]["get"]["responses"])
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    # Neither the cookie nor Authorization is an ordinary parameter.
    assert "parameters" not in paths["/me"]["get"]


async def test_declares_nothing_else_of_how_it_asks() -> None:
    async with open_api("http://127.0.0.1:9") as api:
        document = (await api.get("/openapi.json")).json()
    assert document["components"]["securitySchemes"] == {
        "sessionCookie": {
            "type": "apiKey",
            "description": (
                "latchkey's session cookie; `__Secure-better-auth.session_token` where latchkey is served by https."
            ),
            "in": "cookie",
            "name": "better-auth.session_token",
        },
        "bearer": {
            "type": "http",
            "description": "The signed cookie value, where latchkey runs with `LATCHKEY_BEARER=signed`.",
            "scheme": "bearer",
        },
    }
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    assert all("parameters" not in operation for operation in operations)
    assert {name for operation in operations for name in operation} == {
        "summary",
        "description",
        "operationId",
        "requestBody",
        "responses",
        "security",
    }


def test_both_can_be_put_out_of_the_way_in_the_tests_of_an_app() -> None:
    ann = Verified.model_validate_json(VERIFIED)
    app = FastAPI()

    @app.get("/me")
    async def me(visitor: SignedIn) -> str:
        return visitor.user.name

    @app.get("/hello")
    async def hello(visitor: MaybeSignedIn) -> bool:
        return visitor is None

    app.dependency_overrides = {
        required: lambda: Identity(user=ann.user, session=ann.session),
        optional: lambda: None,
    }
    with TestClient(app) as client:
        assert (client.get("/me").json(), client.get("/hello").json()) == ("Ann", True)
