"""What latchkey's `/api/auth/verify` answers."""

from pydantic import AwareDatetime, BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class _Model(BaseModel):
    # Strict: "true" or 1 for a boolean is not latchkey's answer, but something else's.
    model_config = ConfigDict(
        alias_generator=to_camel, validate_by_name=True, validate_by_alias=True, frozen=True, strict=True
    )


class User(_Model):
    """A user; camelCase in JSON, as BetterAuth's clients have it."""

    id: str
    name: str
    email: str
    email_verified: bool
    image: str | None = None
    created_at: AwareDatetime
    updated_at: AwareDatetime


class Session(_Model):
    """A session without its token."""

    id: str
    user_id: str
    expires_at: AwareDatetime
    created_at: AwareDatetime
    updated_at: AwareDatetime


class Identity(_Model):
    """Who asks, and by which session."""

    user: User
    session: Session


class Verified(Identity):
    """The body of a 200."""

    valid: bool


class Refused(_Model):
    """The body of a 401."""

    valid: bool
    code: str
    message: str


class Refusal(_Model):
    """latchkey's word that there is no session: `NO_CREDENTIALS`, `INVALID_SESSION` or `SESSION_EXPIRED`."""

    code: str
    message: str
    challenge: str
    """The `WWW-Authenticate` header."""


class Problem(_Model):
    code: str
    message: str


class ProblemBody(_Model):
    """The body of this API's 401, 403 and 503."""

    detail: Problem
