"""The table of docs/formats.md, of a base of the same build that is shrunken."""

import pytest

from benchmarks import full_size


@pytest.mark.slow
def test_every_format_is_written_and_read_back(tmp_path, monkeypatch, capsys):
    shrunken = {"channels": (32, 32, 64, 64), "text": 32, "layers": 2, "vocabulary": 49408, "side": 8, "vae": 32}
    monkeypatch.setattr(full_size, "FULL", shrunken)
    monkeypatch.setattr(full_size, "KEYS", {"single_file": 968, "lora_diffusers": 272, "lora_kohya": 408})
    monkeypatch.setattr("sys.argv", ["full_size", "--work", str(tmp_path)])
    full_size.main()
    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines()[2:]]
    assert len(rows) == sum(map(len, full_size.FORMATS.values()))
    for cells in rows:
        expected = "keys, at most" if "lora_" in cells[3] else "keys, bit by bit"
        assert expected in cells[-1], cells
