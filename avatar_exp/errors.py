"""The one kind of error that a user can mend: shown as a short message, without a traceback."""

from collections.abc import Sequence


class UserError(Exception):
    """What came, what was expected, what to do. Ends a command with exit code 2."""


class RefusedError(UserError):
    """A run cannot go on as asked; nothing was changed, and it stays what it was."""


def raise_all(title: str, faults: Sequence[str]) -> None:
    """Raise one UserError that lists every fault found; do nothing if there is none."""
    if faults:
        raise UserError("\n".join([title, *(f"  - {fault}" for fault in faults)]))


def counted(count: int, thing: str) -> str:
    """``1 photo``, ``2 photos``."""
    return f"{count:,} {thing}" if count == 1 else f"{count:,} {thing}s"
