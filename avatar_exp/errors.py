"""The one kind of error that a user can mend: shown as a short message, without a traceback."""

from collections.abc import Sequence


class UserError(Exception):
    """What came, what was expected, what to do. Ends a command with exit code 2."""


class RefusedError(UserError):
    """A run cannot go on as asked; nothing was changed, and it stays what it was."""


def ran_out_of_memory(error: BaseException) -> bool:
    """Whether a GPU's memory ran out: PyTorch's own allocator has a class for that, cuBLAS and bitsandbytes words."""
    return any(words in str(error) for words in ("out of memory", "_ALLOC_FAILED"))


def mendable(error: Exception) -> Exception:
    """The error, or what a user can do about it."""
    if isinstance(error, UserError) or not ran_out_of_memory(error):
        return error
    cures = "a GPU that nobody else uses, fewer pictures at once (batch_size=1), or smaller ones"
    return UserError(f"out of GPU memory. What would help: {cures}\n" + str(error).partition("\n")[0])


def raise_all(title: str, faults: Sequence[str]) -> None:
    """Raise one UserError that lists all faults, each of one line or more; do nothing if there is none."""
    if faults:
        raise UserError("\n  - ".join([title, *(fault.replace("\n", "\n    ") for fault in faults)]))


def counted(count: int, thing: str) -> str:
    """``1 photo``, ``2 photos``."""
    return f"{count:,} {thing}" if count == 1 else f"{count:,} {thing}s"
