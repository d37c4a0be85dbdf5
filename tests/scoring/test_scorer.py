"""What is seen in the pictures themselves, before any embedder sees them."""

from io import BytesIO

from PIL import Image, ImageEnhance

from avatar_exp.data.alike import families, thumb
from avatar_exp.tiny import world


def saved(picture):
    """As a phone passes it on."""
    file = BytesIO()
    picture.resize((200, 200)).save(file, "JPEG", quality=60)
    return Image.open(file)


def copies_of(photos):
    """For each photo the number of its group, as the scorer has it."""
    return families([thumb(photo) for photo in photos])


def test_a_photo_passed_on_is_a_copy_and_the_same_person_elsewhere_is_none():
    photos = [photo for photo, _, _ in world.album(5, 6, 256)]
    again = [saved(photos[2]), ImageEnhance.Brightness(photos[4]).enhance(0.9)]
    assert copies_of(photos) == [0, 1, 2, 3, 4, 5]
    found = copies_of([*photos, *again])
    assert found[6] == found[2]
    assert found[7] == found[4]
    assert len(set(found)) == 6
