"""Standard output that goes away."""

import subprocess
import sys

SPEAKING = """
import logging, sys, time
from avatar_exp.config.console import Console
logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[Console(sys.stdout)])
for number in range(2000):
    logging.info("line %d, long enough to fill what a pipe holds: %s", number, "." * 100)
logging.info("%d", "not a number")
sys.stderr.write("done")
"""


def test_whoever_has_read_enough_stops_nothing_and_other_errors_are_told():
    ended = subprocess.run(
        ["bash", "-o", "pipefail", "-c", f"{sys.executable} -c '{SPEAKING}' | head -2"], capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines()[0].startswith("line 0, ")
    assert "BrokenPipe" not in ended.stderr
    assert "not a number" in ended.stderr
    assert ended.stderr.endswith("done")
