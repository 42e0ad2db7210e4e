/** The founding plan's `/api/auth/session`: get-session's answer, but for a visitor without a session an object. */
export async function sessionAlias(response: Response): Promise<Response> {
  if (response.status !== 200) return response;
  const text = await response.text();
  const headers = new Headers(response.headers);
  headers.set("content-type", "application/json");
  return new Response(text === "null" ? '{"user":null,"session":null}' : text, { status: 200, headers });
}
