"""Made once, whole or not at all, and never under another key."""

import json
import multiprocessing
from pathlib import Path

import pytest

from avatar_exp.store import Store, content_key, file_hash


def write(text):
    return lambda folder: (folder / "file.txt").write_text(text)


def leftovers(store):
    return [path.name for path in store.root.glob("*/.making-*")]


def test_key_does_not_depend_on_the_order_of_a_dict():
    key = content_key({"a": 1, "b": {"c": 2, "d": 3}})
    assert key == content_key({"b": {"d": 3, "c": 2}, "a": 1})
    assert len(key) == 32


@pytest.mark.parametrize("other", [{"a": 2}, {"a": "1"}, {"a": 1.5}, {"b": 1}, {"a": 1, "b": None}, {"a": [1]}, {}])
def test_other_ingredients_have_another_key(other):
    assert content_key(other) != content_key({"a": 1})


@pytest.mark.parametrize("ingredients", [{"a": Path("x")}, {"a": {1, 2}}, {"a": b"x"}])
def test_an_ingredient_that_is_not_json_is_refused(ingredients):
    with pytest.raises(TypeError):
        content_key(ingredients)


def test_keys_never_change():
    """They name what is on people's disks: another hash would silently make everything anew."""
    assert content_key({"prompt": "ảnh", "seed": 7, "x": [1.5, None]}) == "9dff0b37558e0ee90fb946677a48a63a"


def test_file_hash_is_of_the_content(tmp_path):
    for name, content in {"a": b"one", "b": b"one", "c": b"two"}.items():
        (tmp_path / name).write_bytes(content)
    assert file_hash(tmp_path / "a") == file_hash(tmp_path / "b") != file_hash(tmp_path / "c")


def test_an_entry_is_made_once_and_says_what_it_is_of(tmp_path):
    store, calls = Store(tmp_path), []

    def make(folder):
        calls.append(folder)
        (folder / "file.txt").write_text("content")

    first = store.entry("text", {"prompt": "chào"}, make)
    assert store.entry("text", {"prompt": "chào"}, make) == first
    assert Store(tmp_path).entry("text", {"prompt": "chào"}, make) == first
    assert len(calls) == 1
    assert (first / "file.txt").read_text() == "content"
    assert json.loads((first / "manifest.json").read_text()) == {"kind": "text", "ingredients": {"prompt": "chào"}}
    assert store.made == {"text": 1}


def test_kinds_do_not_share_entries(tmp_path):
    store = Store(tmp_path)
    assert store.entry("a", {"x": 1}, write("a")) != store.entry("b", {"x": 1}, write("b"))


def test_a_failure_leaves_nothing_and_can_be_tried_again(tmp_path):
    store = Store(tmp_path)

    def fail(folder):
        (folder / "half.txt").write_text("half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        store.entry("text", {"x": 1}, fail)
    assert not store.has("text", {"x": 1})
    assert not leftovers(store)
    assert store.made == {}
    entry = store.entry("text", {"x": 1}, write("whole"))
    assert sorted(path.name for path in entry.iterdir()) == ["file.txt", "manifest.json"]


def test_an_entry_without_its_manifest_is_made_anew(tmp_path):
    store = Store(tmp_path)
    entry = store.entry("text", {"x": 1}, write("old"))
    (entry / "manifest.json").unlink()
    assert (store.entry("text", {"x": 1}, write("new")) / "file.txt").read_text() == "new"


def test_only_what_is_missing_is_made_and_the_order_is_the_callers(tmp_path):
    store, asked = Store(tmp_path), []

    def make(missing):
        asked.append(missing)
        return [(index, write(str(index))) for index in reversed(missing)]

    store.entries("n", [{"n": 1}, {"n": 3}], make)
    folders = store.entries("n", [{"n": n} for n in range(5)], make)
    assert asked == [[0, 1], [0, 2, 4]]
    assert [folder.name for folder in folders] == [content_key({"n": n}) for n in range(5)]
    assert [(folder / "file.txt").read_text() for folder in folders] == ["0", "0", "2", "1", "4"]


def test_the_same_entry_twice_in_one_call_is_made_once(tmp_path):
    store = Store(tmp_path)
    one, two = store.entries("n", [{"n": 1}, {"n": 1}], lambda missing: [(n, write("x")) for n in missing])
    assert one == two
    assert store.made == {"n": 1}


def test_what_was_done_before_an_interruption_is_kept(tmp_path):
    store = Store(tmp_path)

    def interrupted(missing):
        yield missing[0], write("done")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.entries("n", [{"n": n} for n in range(3)], interrupted)
    assert [store.has("n", {"n": n}) for n in range(3)] == [True, False, False]
    asked = []
    store.entries(
        "n", [{"n": n} for n in range(3)], lambda missing: asked.extend(missing) or [(n, write("x")) for n in missing]
    )
    assert asked == [1, 2]


def test_an_entry_that_was_left_out_is_an_error(tmp_path):
    with pytest.raises(RuntimeError, match=r"n: entries \[1\]"):
        Store(tmp_path).entries("n", [{"n": 0}, {"n": 1}], lambda missing: [(0, write("x"))])


def other_process(root, log, barrier):
    def make(missing):
        for n in missing:
            with open(log, "a") as file:
                file.write(f"{n}\n")
            yield n, write(str(n))

    barrier.wait(60)
    Store(Path(root)).entries("n", [{"n": n} for n in range(20)], make, group="g")


def test_two_processes_that_want_the_same_entries_do_the_work_once(tmp_path):
    context = multiprocessing.get_context("spawn")
    log, barrier = tmp_path / "log", context.Barrier(2)
    jobs = [context.Process(target=other_process, args=(tmp_path, log, barrier)) for _ in range(2)]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join(60)
    assert [job.exitcode for job in jobs] == [0, 0]
    assert sorted(map(int, log.read_text().split())) == list(range(20))
