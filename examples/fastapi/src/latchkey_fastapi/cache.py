"""A bounded cache of positive answers, for APIs that accept a lag in revocation."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from .models import Identity


@dataclass(frozen=True, slots=True)
class _Entry:
    identity: Identity
    deadline: float


class IdentityCache:
    """Remembers identities for `ttl_seconds`, never beyond their `session.expires_at`.

    A session that ends early (sign-out, revocation, deleted user) stays valid here for up to `ttl_seconds`, in each
    worker process on its own. When full, the oldest entry goes.

    Args:
        ttl_seconds: counted from when latchkey was asked.
        max_entries: at least 1.
        monotonic: seconds from a clock that is never set back.
        wall: seconds since the epoch.
    """

    def __init__(
        self,
        ttl_seconds: float,
        max_entries: int,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._ttl_seconds = ttl_seconds
        self._max_entries = max_entries
        self._monotonic = monotonic
        self._wall = wall
        self._entries: OrderedDict[bytes, _Entry] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def now(self) -> float:
        """The time to hand to `put`; read it before asking latchkey."""
        return self._monotonic()

    def get(self, key: bytes) -> Identity | None:
        """The identity under `key` while it is fresh."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        if self._monotonic() < entry.deadline and self._wall() < entry.identity.session.expires_at.timestamp():
            return entry.identity
        del self._entries[key]
        return None

    def put(self, key: bytes, identity: Identity, asked_at: float) -> None:
        """Stores `identity`, as latchkey gave it to a question asked at `asked_at`."""
        self._entries[key] = _Entry(identity, asked_at + self._ttl_seconds)
        self._entries.move_to_end(key)
        while len(self._entries) > self._max_entries:
            self._entries.popitem(last=False)
