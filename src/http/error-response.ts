import { AppError } from "../errors.ts";

/** What an error says to the client; anything that is not an AppError is a 500 that names nothing. */
export function publicError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  return new AppError("INTERNAL_SERVER_ERROR", "Something went wrong.", { cause: error });
}

/** The one shape of every error answer: `{code,message}`. */
export function errorResponse(error: AppError): Response {
  return Response.json(
    { code: error.code, message: error.message },
    { status: error.status, headers: { ...error.headers, "Cache-Control": "no-store" } },
  );
}

export function notFound(): AppError {
  return new AppError("NOT_FOUND", "There is nothing at this address.");
}

export function methodNotAllowed(allowed: readonly string[]): AppError {
  return new AppError("METHOD_NOT_ALLOWED", "This address does not take that method.", {
    headers: { Allow: allowed.join(", ") },
  });
}
