"""A real headless Chromium, driven by its DevTools protocol over a pipe; nothing to install but the browser."""

import base64
import contextlib
import json
import os
import select
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
# The protocol's pipe is file descriptors 3 and 4 of the browser; ours may be one of these, so they go out of the way.
ON_3_AND_4 = """
import fcntl, os, sys
away = [fcntl.fcntl(int(one), fcntl.F_DUPFD, 10) for one in sys.argv[1:3]]
os.dup2(away[0], 3), os.dup2(away[1], 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
KEYS = {"ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, "Escape": 27, "Enter": 13, "Tab": 9}


class Tab:
    """One page of the browser; ``events`` is all that it reported."""

    def __init__(self, read: int, write: int) -> None:
        self.read, self.write, self.rest, self.count, self.session = read, write, b"", 0, ""
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")
        self.call("Page.setLifecycleEventsEnabled", enabled=True)

    def call(self, method: str, **arguments: Any) -> dict[str, Any]:
        """A command of the protocol, and its answer."""
        self.count += 1
        message = {"id": self.count, "method": method, "params": arguments}
        os.write(
            self.write, json.dumps(message | ({"sessionId": self.session} if self.session else {})).encode() + b"\0"
        )
        while True:
            answer = self._next()
            if answer.get("id") == self.count:
                assert "error" not in answer, answer
                return answer["result"]
            self.events.append(answer)

    def _next(self, patience: float = 30) -> dict[str, Any]:
        while b"\0" not in self.rest:
            assert select.select([self.read], [], [], patience)[0], "the browser does not answer"
            more = os.read(self.read, 1 << 20)
            assert more, "the browser has ended"
            self.rest += more
        message, _, self.rest = self.rest.partition(b"\0")
        return json.loads(message)

    def open(self, file: Path) -> None:
        """Load a page from disk, to its load event."""
        self.events.clear()
        loader = self.call("Page.navigate", url=file.as_uri())["loaderId"]
        loaded = {"name": "load", "loaderId": loader}
        while not any(loaded.items() <= one.get("params", {}).items() for one in self.events):
            self.events.append(self._next())

    def js(self, expression: str) -> Any:
        """The value of an expression in the page; promises are waited for."""
        arguments = {"expression": expression, "returnByValue": True, "awaitPromise": True}
        answer = self.call("Runtime.evaluate", **arguments)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def until(self, condition: str) -> None:
        """Wait until something holds in the page."""
        wait = "new Promise((done, fail) => {const end = Date.now() + 20000; const look = () => (%s) ? done() : Date.now() > end ? fail('never: ' + %s) : setTimeout(look, 20); look()})"  # noqa: E501
        self.js(wait % (condition, json.dumps(condition)))

    def key(self, name: str) -> None:
        """Press a key, as a person does."""
        for kind in ("keyDown", "keyUp"):
            text = {"text": "\r"} if name == "Enter" and kind == "keyDown" else {}
            arguments = {"type": kind, "key": name, "code": name, "windowsVirtualKeyCode": KEYS[name], **text}
            self.call("Input.dispatchKeyEvent", **arguments)

    def click(self, selector: str) -> None:
        """Click in the middle of an element."""
        one = f"document.querySelector({json.dumps(selector)})"
        self.js(f"{one}.scrollIntoView({{block: 'center', inline: 'center'}})")
        x, y = self.js(f"(b => [b.x + b.width / 2, b.y + b.height / 2])({one}.getBoundingClientRect())")
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def look(self, width: int, height: int, scheme: str = "light") -> None:
        """The size of the window, and whether the system is dark."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def screenshot(self, file: Path, whole: bool = False) -> None:
        """A picture of the window, or of the whole page."""
        picture = self.call("Page.captureScreenshot", captureBeyondViewport=whole)["data"]
        file.write_bytes(base64.b64decode(picture))


@contextlib.contextmanager
def browser(profile: Path) -> Iterator[Tab]:
    """A headless Chromium with one tab; ended at the end."""
    ours, theirs = os.pipe(), os.pipe()  # to the browser, from it
    flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
    flags += ["--disable-background-networking", "--remote-debugging-pipe", f"--user-data-dir={profile}"]
    command = [sys.executable, "-c", ON_3_AND_4, str(ours[0]), str(theirs[1]), str(BROWSER), *flags]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, pass_fds=(ours[0], theirs[1]), **quiet)
    os.close(ours[0]), os.close(theirs[1])
    try:
        yield Tab(theirs[0], ours[1])
    finally:
        os.close(ours[1])  # the browser ends when its pipe does
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        os.close(theirs[0])
