"""`/docs` and the document behind it."""

from support.api import open_api


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
