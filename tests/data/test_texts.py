"""Texts beside photos: in the encodings that programs save them in, under names however these are written."""

import unicodedata

import pytest

from avatar_exp.data.texts import NOT_UTF8, caption_file, own_captions, read_text

TEXT = "ảnh của {subject}\nở biển"
FORMS = [unicodedata.normalize(form, "Hoàng") for form in ("NFC", "NFD")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_text_is_read_without_its_mark(tmp_path, encoding):
    file = tmp_path / "a.txt"
    file.write_text(TEXT, encoding=encoding, newline="\r\n")
    assert read_text(file) == TEXT


def test_either_order_of_bytes_is_read(tmp_path):
    for order, mark in (("le", b"\xff\xfe"), ("be", b"\xfe\xff")):
        (tmp_path / "a.txt").write_bytes(mark + TEXT.encode(f"utf-16-{order}"))
        assert read_text(tmp_path / "a.txt") == TEXT


@pytest.mark.parametrize("content", ["Hoàng".encode("cp1258"), b"\xff", b"\xff\xfea"])
def test_another_encoding_is_an_error_that_says_what_to_do(tmp_path, content):
    (tmp_path / "a.txt").write_bytes(content)
    with pytest.raises(UnicodeError, match=r"^it is no UTF-8 text; save it as UTF-8 \(Excel: 'CSV UTF-8"):
        read_text(tmp_path / "a.txt")


def test_an_empty_text(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"")
    assert read_text(tmp_path / "a.txt") == ""


@pytest.mark.parametrize("photo", FORMS)
@pytest.mark.parametrize("ending", [".txt", ".jpg.txt"])
def test_a_caption_is_found_however_its_accents_are_written(tmp_path, photo, ending):
    for there in FORMS:
        file = tmp_path / f"{there}{ending}"
        file.write_text("x")
        assert caption_file(tmp_path / f"{photo}.jpg") == file
        file.unlink()
    assert caption_file(tmp_path / f"{photo}.jpg") is None


def test_all_captions_and_those_that_cannot_be_read(tmp_path):
    (tmp_path / "a.txt").write_text("one")
    (tmp_path / "c.txt").write_bytes(b"\xe9")
    texts, found = own_captions(tmp_path / f"{name}.jpg" for name in "abc")
    assert texts == {tmp_path / "a.txt": "one"}
    assert found == [f"{tmp_path}/c.txt: cannot be read: {NOT_UTF8}"]
