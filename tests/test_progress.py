"""Phases add up; a pipe gets a line every 30 seconds, a terminal a changing one."""

import logging
import sys

import pytest

from avatar_exp import progress


@pytest.fixture
def clock(monkeypatch):
    """Time that passes when it is told to."""

    class Clock:
        now = 100.0

    monkeypatch.setattr(progress.time, "monotonic", lambda: Clock.now)
    return Clock


def test_a_phase_that_is_entered_again_adds_up(clock):
    seen = []
    phases = progress.Phases(seen.append)
    for name, seconds in (("latents", 2.0), ("training", 5.0), ("latents", 1.5)):
        with phases.phase(name):
            clock.now += seconds
    assert phases.seconds == {"latents": 3.5, "training": 5.0}
    assert list(phases.seconds) == ["latents", "training"]
    assert seen == [{"latents": 2.0}, {"latents": 2.0, "training": 5.0}, {"latents": 3.5, "training": 5.0}]


def test_a_phase_that_fails_is_booked_too(clock):
    phases = progress.Phases()

    def fail():
        with phases.phase("latents"):
            clock.now += 1
            raise OSError

    with pytest.raises(OSError):
        fail()
    assert phases.seconds == {"latents": 1.0}


def test_a_phase_is_announced_with_its_count_unless_told_not_to(clock, caplog):
    caplog.set_level(logging.INFO, "avatar_exp")
    phases = progress.Phases()
    with phases.phase("latents") as tick:
        tick(12, 12)
        clock.now += 2
    with phases.phase("pictures", announce=False):
        pass
    assert [record.message for record in caplog.records] == ["latents: 2.0 s, 12 of them"]


def test_a_pipe_gets_a_line_every_thirty_seconds(clock, caplog, capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: False)
    caplog.set_level(logging.INFO, "avatar_exp")
    ticker = progress.Ticker("training")
    for done in range(1, 101):
        clock.now += 1
        ticker(done, 100, "loss 0.5")
    assert [record.message for record in caplog.records] == [
        "training: 30/100, about 70 s left, loss 0.5",
        "training: 60/100, about 40 s left, loss 0.5",
        "training: 90/100, about 10 s left, loss 0.5",
    ]
    ticker.clear()
    assert capsys.readouterr().out == ""


def test_a_terminal_gets_one_changing_line(clock, caplog, capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    caplog.set_level(logging.INFO, "avatar_exp")
    ticker = progress.Ticker("latents")
    clock.now += 1
    ticker(1, 4)
    clock.now += 0.1
    ticker(2, 4)  # too soon
    ticker.clear()
    assert capsys.readouterr().out == "\rlatents: 1/4, about 3 s left\x1b[K\r\x1b[K"
    assert not caplog.records
