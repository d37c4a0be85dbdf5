"""Overrides as people type them reach the config as they were meant, through Hydra's own parser."""

import random

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from avatar_exp.config.conf import SCHEMAS
from avatar_exp.config.explain import keys_of
from avatar_exp.config.overrides import FREE_TEXT, quote, readable, typed, value_of

NASTY = [
    "ảnh của Hoàng Ánh ở Đà Nẵng",
    "a photo of {subject}, on the beach",
    "{subject}",
    "a, b, c",
    "[a, b]",
    "x=1,y=2",
    "it's hoanganh's",
    'she said "chào"',
    "'single'",
    '"a" and "b"',
    'it\'s "both"',
    "back\\slash",
    "ends in \\",
    "ends in \\\\",
    '\\"',
    "C:\\photos\\minh",
    "/data/ảnh (2026), [v1]/a=b",
    " leading",
    "trailing ",
    "   ",
    "",
    "(parens)",
    "{a: 1}",
    "{unbalanced",
    "unbalanced]",
    "a: b",
    "@#$%^&*!~`|;<>?",
    "tab\there",
    "1337",
    "1e-6",
    "true",
    "None",
    "glob(*)",
    "choice(a,b)",
    "sweep(1)",
    "a+b-c/d.e",
    "東京 🙂",
]


def parsed(override):
    return OverridesParser.create().parse_override(override)


@pytest.mark.parametrize("text", NASTY)
@pytest.mark.parametrize("key", ["prompt", "concept.instance_data_dir"])
def test_a_free_text_means_itself(key, text):
    override = parsed(readable(f"{key}={text}"))
    assert override.key_or_group == key
    assert not override.is_sweep_override()
    assert str(override.value()) == (text[1:-1] if text == "'single'" else text)
    assert isinstance(override.value(), str)


def test_a_text_that_is_quoted_already_keeps_its_quotes_meaning():
    assert readable("prompt='a, b'") == "prompt='a, b'"
    assert parsed(readable('prompt="a, b"')).value() == "a, b"


@pytest.mark.parametrize("text", NASTY)
def test_quote_means_exactly_itself(text):
    assert parsed(f"name={quote(text)}").value() == text


def test_random_texts_round_trip():
    letters = "ab \\\\\\\"\"''{}[](),=:$#Đế\t.-/*"
    rng = random.Random(0)
    for _ in range(3000):
        text = "".join(rng.choices(letters, k=rng.randrange(12)))
        if "${" in text:  # an interpolation, in quotes too
            continue
        assert parsed(f"prompt={quote(text)}").value() == text, repr(text)


def test_what_was_typed_comes_back_from_what_hydra_saw():
    """The command that repeats a run is made of these: typed again, it must mean the same."""
    rng = random.Random(1)
    for text in [*NASTY, *("".join(rng.choices("a \\\"',={}[]ế", k=rng.randrange(9))) for _ in range(1000))]:
        for key in ("prompt", "tags"):
            seen = readable(f"{key}={text}")
            assert readable(typed(seen)) == seen, repr(text)
            assert readable(seen) == seen, repr(text)


@pytest.mark.parametrize("text", ['she said "chào"', "a, b", "/ảnh (1)/", "back\\", "it's"])
def test_what_was_typed_has_no_quotes_that_were_not_typed(text):
    assert typed(readable(f"prompt={text}")) == f"prompt={text}"


@pytest.mark.parametrize("text", NASTY)
def test_value_of_is_what_hydra_would_read(text):
    override = readable(f"resume={text}")
    assert value_of("resume", [override]) == parsed(override).value()


@pytest.mark.parametrize(
    ("override", "value"),
    [
        ("lr=1e-6", 1e-6),
        ("max_steps=5", 5),
        ("keep_steps=[100,200]", [100, 200]),
        ("prompts=['a, b',c]", ["a, b", "c"]),
        ("concept.sample_prompts=null", None),
        ("name=null", None),
        ("model.vae=null", None),
        ("model.gradient_checkpointing=true", True),
        ("tags=[]", []),
        ("+trainer.limit_train_batches=0.5", 0.5),
    ],
)
def test_other_values_keep_their_type(override, value):
    assert parsed(readable(override)).value() == value


@pytest.mark.parametrize("override", ["-m", "--multirun", "--cfg", "job", "~callbacks.scores", "~lr=1", "resume"])
def test_flags_deletions_and_words_are_left_alone(override):
    assert readable(override) == override


@pytest.mark.parametrize("override", ["tags=ảnh đẹp", "concept=hoàng ánh", "scoring.clip=/a (1)/b=c"])
def test_what_the_grammar_refuses_is_quoted_whatever_the_key(override):
    key, _, text = override.partition("=")
    assert parsed(readable(override)).value() == text
    assert readable(override).startswith(f"{key}=")


@pytest.mark.parametrize("override", ["model.path=a,b", "prompt=a,b", "lr=1e-6,2e-6", "model=tiny,sd15"])
def test_a_sweeps_commas_keep_their_meaning(override):
    sweep = parsed(readable(override, multirun=True))
    assert sweep.is_sweep_override()
    assert len(list(sweep.sweep_iterator())) == 2


def test_a_sweep_still_takes_a_path_that_the_grammar_refuses():
    override = parsed(readable("store=/ảnh (1)/[x", multirun=True))
    assert not override.is_sweep_override()
    assert override.value() == "/ảnh (1)/[x"


def test_free_texts_are_keys_of_a_command():
    known = {key for schema in SCHEMAS.values() for key in keys_of(schema)}
    assert not FREE_TEXT - known


def test_the_last_value_of_a_key_counts():
    assert value_of("resume", ["resume=a", "lr=1", "resume='b c'"]) == "b c"
    assert value_of("resume", ["resume=a", "resume=null"]) is None
    assert value_of("resume", ["repeat=a", "resume_not=b"]) is None


@pytest.mark.parametrize(
    ("asked", "jobs"), [("ana,2024", ["ana", '"2024"']), ("1e3, true", ['"1e3"', '"true"']), ("a,b", ["a", "b"])]
)
def test_a_concept_of_a_sweep_may_be_called_by_a_number(asked, jobs):
    override = parsed(readable(f"concept={asked}", multirun=True))
    assert list(override.sweep_string_iterator()) == jobs
