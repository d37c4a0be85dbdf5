"""What an experiment chooses is known before anything is composed."""

import pytest

from avatar_exp.config.experiments import chosen


@pytest.mark.parametrize(
    ("group", "overrides"),
    [
        ("model", ["lr=1", "model=tiny"]),
        ("model", ["experiment=viblo"]),
        ("model", ["+experiment=tutorial"]),  # which is viblo
        ("model", ["experiment=[low_vram,viblo]"]),
        ("optimizer", ["experiment=low_vram"]),
        ("model", ["experiment=one_that_is_elsewhere"]),
    ],
)
def test_what_is_chosen(group, overrides):
    assert chosen(group, overrides)


@pytest.mark.parametrize(
    ("group", "overrides"),
    [
        ("model", ["experiment=low_vram", "model.path=DIR"]),
        ("model", ["lr=1", "concept=model"]),
        ("prior", ["experiment=[viblo,low_vram]"]),
    ],
)
def test_what_is_not(group, overrides):
    assert not chosen(group, overrides)


def test_an_experiment_of_ones_own(tmp_path, monkeypatch):
    (tmp_path / "data" / "conf" / "experiment").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    for name, text in (("a", "lr: 1"), ("b", "defaults:\n  - a\n  - override /model: tiny\n  - _self_\n")):
        (tmp_path / "data" / "conf" / "experiment" / f"{name}.yaml").write_text(text)
    (tmp_path / "data" / "conf" / "experiment" / "empty.yaml").write_text("# nothing yet")
    (tmp_path / "data" / "conf" / "experiment" / "broken.yaml").write_text("a: [")
    assert not chosen("model", ["experiment=a"])
    assert not chosen("model", ["experiment=empty"])
    assert chosen("model", ["experiment=broken"])
    assert chosen("model", ["experiment=b"])
