"""Where a run is and how long each phase took: one plain line now and then, also where no terminal is."""

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

log = logging.getLogger("avatar_exp")

PLAIN_SECONDS = 30.0  # between lines in a file or a pipe
TERMINAL_SECONDS = 0.5


class Phases:
    """The seconds of each phase, in order; a phase that is entered again adds to its own."""

    def __init__(
        self, on_change: Callable[[dict[str, float]], None] | None = None, before: dict[str, float] | None = None
    ) -> None:
        """``before``: the seconds of a run that goes on."""
        self.seconds: dict[str, float] = dict(before or {})
        self._on_change = on_change
        self._started = time.monotonic()

    @contextmanager
    def phase(self, name: str, announce: bool = True) -> Iterator["Ticker"]:
        """Time a phase; inside, ``ticker(done, total)`` says how far it is."""
        ticker, started = Ticker(name), time.monotonic()
        try:
            yield ticker
        finally:
            seconds = time.monotonic() - started
            ticker.clear()
            if announce:
                log.info("%s: %.1f s%s", name, seconds, f", {ticker.total} of them" if ticker.total else "")
            self.add(name, seconds)

    @property
    def elapsed(self) -> float:
        """Seconds since the run began."""
        return round(time.monotonic() - self._started, 2)

    def add(self, name: str, seconds: float) -> None:
        """Book seconds on a phase."""
        self.seconds[name] = round(self.seconds.get(name, 0.0) + seconds, 2)
        if self._on_change:
            self._on_change(dict(self.seconds))


class Ticker:
    """Says how far a phase is: on one changing line in a terminal, else on a plain line every 30 seconds."""

    def __init__(self, name: str) -> None:
        self.name, self.total = name, 0
        self.terminal = sys.stdout.isatty()
        self._started = self._said = time.monotonic()

    @property
    def is_due(self) -> bool:
        """Whether the last word is old enough for another."""
        return time.monotonic() - self._said >= (TERMINAL_SECONDS if self.terminal else PLAIN_SECONDS)

    def __call__(self, done: int, total: int, note: str = "") -> None:
        """``done`` of ``total`` are ready; says so if the last word is old enough."""
        self.total = total
        if not self.is_due:
            return
        self._said = now = time.monotonic()
        left = (now - self._started) / max(done, 1) * (total - done)
        line = f"{self.name}: {done}/{total}, about {left:.0f} s left{', ' + note if note else ''}"
        if self.terminal:
            print(f"\r{line}\x1b[K", end="", flush=True)
        else:
            log.info(line)

    def clear(self) -> None:
        """Take the changing line away."""
        if self.terminal:
            print("\r\x1b[K", end="", flush=True)
