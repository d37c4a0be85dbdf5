"""The picture of the README: photos of the demo subject, above the grid of a run that learnt them.

python docs/readme_grid.py outputs/train/hoanganh/DATE
"""

import sys
from pathlib import Path

from PIL import Image

from avatar_exp.data.photos import crop_square, open_photo, photo_files
from avatar_exp.pictures import PAPER, grid
from avatar_exp.run_folder import RunFolder
from avatar_exp.training.callbacks.pictures import grid_of

DOCS = Path(__file__).parent
PHOTOS, CELL = 8, 160


def readme_grid(run: Path, photos: Path = DOCS.parent / "data" / "hoanganh") -> Image.Image:
    """Eight photos, each above a column of the grid."""
    shown = [crop_square(open_photo(photo), CELL) for photo in photo_files(photos)[:PHOTOS]]
    above, below = grid([shown], ["photos"], [], CELL), grid_of(RunFolder(run), CELL)
    sheet = Image.new("RGB", (max(above.width, below.width), above.height + below.height), PAPER)
    for picture, top in ((above, 0), (below, above.height)):
        sheet.paste(picture, (sheet.width - picture.width, top))
    return sheet


if __name__ == "__main__":
    readme_grid(Path(sys.argv[1])).quantize(256).save(DOCS / "grid.png", optimize=True)
