"""Real photographs, where they lie beside the repository: big, of other sizes, of no drawn face."""

import json
from pathlib import Path

import pytest

from runs.command import BARE, ROOT, Commands

PHOTOS = ROOT.parent / "shared" / "data" / "dreambooth"
pytestmark = pytest.mark.skipif(not PHOTOS.is_dir(), reason="no ../shared/data/dreambooth beside the repository")
NOTICE = "The built-in base only knows drawn faces."


@pytest.mark.parametrize(("subject", "concept"), [("dog", "animal"), ("cat", "animal"), ("can", "object")])
def test_real_photos_run_with_the_notice_first_and_last(commands: Commands, subject: str, concept: str) -> None:
    mine = (f"concept={concept}", f"concept.identifier=sks-{subject}", f"concept.instance_data_dir={PHOTOS / subject}")
    noun = [f"concept.class_noun={subject}"] if concept == "object" else []
    ended = commands("train", *BARE, *mine, *noun, "max_steps=1", "sample_every=1", "scoring.prompts=['{subject}']")
    assert ended.code == 0, ended.err
    assert ended.out.count(NOTICE) == 2
    assert ended.out.index(NOTICE) < ended.out.index("prior pictures") < ended.out.rindex(NOTICE)
    info = ended.run.info
    assert info["status"] == "finished"
    assert info["class_noun"] == [subject if concept == "object" else concept]
    assert info["store_made"]["moments"] >= len(list(Path(PHOTOS / subject).iterdir()))


def test_drawn_photos_bring_no_notice(commands: Commands) -> None:
    assert NOTICE not in commands("train", *BARE, "max_steps=0").out


@pytest.mark.parametrize("subject", ["dog", "cat", "can"])
def test_real_photos_are_prepared_and_none_is_refused(commands: Commands, tmp_path: Path, subject: str) -> None:
    mine = (f"concept=my-{subject}", f"source={PHOTOS / subject}", f"class_noun={subject}", "faces=false")
    ended = commands("prepare", *mine, cwd=tmp_path)
    assert ended.code == 0, ended.err
    intake = json.loads((tmp_path / "data" / f"my-{subject}" / "intake.json").read_text())
    assert {(row["refused"], *row["warnings"]) for row in intake["photos"]} == {(None,)}
    assert intake["warnings"] == [f"{len(intake['photos'])} photos; 10-20 are recommended"]
