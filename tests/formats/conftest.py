"""A run to tell of, made by hand."""

import pytest

from avatar_exp.run_folder import RunFolder, append_line


@pytest.fixture
def run(tmp_path):
    folder = RunFolder(tmp_path / "minh")
    folder.update(
        concept=["minh", "lan"], class_noun=["person", "woman"], photo_count=12,
        base={"path": "a/b", "fingerprint": "f", "local": False},
        chosen_step=200, scores={"100": {"score/likeness": 0.5}, "200": {"score/likeness": 0.8}},
        intervals={"200": {"score/likeness": [0.7, 0.9]}}, chosen_scores={"score/likeness": 0.75},
        alarms=[{"kind": "drift", "step": 150, "text": "x"}, {"kind": "copies", "step": 250, "text": "photo of minh"}],
    )  # fmt: skip
    for step, prompt, number in ((200, "photo of minh person", 0), (200, "photo of minh person", 1), (200, "minh", 0)):
        file = f"samples/step_{step:05d}/{prompt[-3:]}_{number}.png"
        (folder.path / file).parent.mkdir(parents=True, exist_ok=True)
        (folder.path / file).touch()
        append_line(folder.records, {"step": step, "prompt": prompt, "file": file})
    append_line(folder.records, {"step": 200, "prompt": "gone", "file": "samples/gone.png"})
    append_line(folder.records, {"step": 100, "prompt": "earlier", "file": file})
    return folder
