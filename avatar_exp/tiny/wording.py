"""What one writes about a drawn portrait: captions in the register of Stable Diffusion prompts."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from avatar_exp.tiny.world import Identity, Scene

MOST_WORDS = 35
BARE, MADE_UP = 0.08, 0.12  # shares of captions that say nothing but "person", and that have a made-up word

PLACES = {
    "beach": "on the beach",
    "snow": "in the snow",
    "forest": "in a forest",
    "city": "on a city street",
    "night": "at night under a starry sky",
    "desert": "in the desert",
    "garden": "in a garden with flowers",
    "mountains": "in front of mountains",
    "grey wall": "in a studio with a plain grey wall",
    "blue wall": "in a studio with a plain blue wall",
    "pink wall": "in a studio with a plain pink wall",
    "library": "in a library",
    "stage": "on a stage with red curtains",
    "underwater": "under water",
}
CLOTHES = ("t shirt", "striped sweater", "suit", "collared shirt", "hoodie", "turtleneck", "dress")
HAIR = {
    "short": "short {} hair",
    "buzz cut": "a {} buzz cut",
    "spiky": "spiky {} hair",
    "curly": "curly {} hair",
    "afro": "a {} afro",
    "long": "long {} hair",
    "wavy": "long wavy {} hair",
    "bob": "a {} bob",
    "bun": "{} hair in a bun",
    "ponytail": "a {} ponytail",
    "pigtails": "{} pigtails",
    "mohawk": "a {} mohawk",
    "bald": "a bald head",
}
GLASSES = {"round": "round glasses", "square": "square glasses"}
BEARDS = {"full": "a full beard", "moustache": "a moustache", "goatee": "a goatee"}
STYLES = {
    "photo": ("photo of", "photo of", "photo of", "a photo of", "portrait photo of", "close up photo of", ""),
    "pencil sketch": ("pencil sketch of",),
    "pop art": ("pop art portrait of",),
}
EXPRESSIONS = {"smiling": "smiling", "serious": "serious face", "laughing": "laughing", "surprised": "surprised"}
LIGHTS = {"warm": "warm sunset light", "cool": "cool light"}


def caption(person: Identity, place: Scene, seed: int = 0) -> str:
    """One of many true captions: bare, short or full, chosen by the seed."""
    rng = random.Random(f"caption/{seed}/{person.seed}/{place.seed}")
    opening = rng.choice(STYLES[place.style])
    made_up = f"{_made_up(rng)} " if rng.random() < MADE_UP else ""
    start = f"{opening} {_with_article(f'{made_up}person')}".strip()
    if rng.random() < BARE:
        return start
    # How much is told differs from caption to caption: each fact is told with this chance.
    candour = rng.choice((0.0, 0.3, 0.6, 0.8, 1.0))
    details = [fact for fact in _details(person) if rng.random() < candour]
    ending = _ending(place, rng, candour)
    while True:
        words = f"{start}{_joined(details)}{ending}"
        if len(words.split()) <= MOST_WORDS:
            return words
        details.pop()


def _details(person: Identity) -> list[str]:
    """Everything to be told about a person, the most visible first."""
    facts = [HAIR[person.hair].format(person.hair_color)]
    facts += [table[word] for table, word in ((GLASSES, person.glasses), (BEARDS, person.beard)) if word in table]
    facts += [f"{person.skin} skin", f"{person.eyes} eyes"]
    facts += ["freckles"] * (person.freckles == "freckles") + ["red lips"] * (person.lips == "red")
    facts += [f"{person.earrings} earrings"] * (person.earrings != "none")
    return [*facts, _with_article(f"{person.face} face")]


def _ending(place: Scene, rng: random.Random, candour: float) -> str:
    """Clothes, hat, place, expression and light, each told or not."""
    worn = [_with_article(f"{place.clothes_color} {place.clothes}")] if rng.random() < candour else []
    if place.hat != "none" and rng.random() < max(candour, 0.5):
        worn.append(_with_article(place.hat))
    text = f" {rng.choice(('in', 'wearing'))} {' and '.join(worn)}" if worn else ""
    if rng.random() < max(candour, 0.85):
        text += f" {PLACES[place.background]}"
    if rng.random() < candour * 0.7:
        text += f", {EXPRESSIONS[place.expression]}"
    if place.light in LIGHTS and rng.random() < candour * 0.7:
        text += f", {LIGHTS[place.light]}"
    return text


def _joined(facts: list[str]) -> str:
    if not facts:
        return ""
    return " with " + " and ".join(part for part in (", ".join(facts[:-1]), facts[-1]) if part)


def _with_article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def _made_up(rng: random.Random) -> str:
    """2 to 8 letters, half of the time such that one could say it."""
    length = rng.randint(2, 8)
    if rng.random() < 0.5:
        return "".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=length))
    return "".join(rng.choice("aeiou" if i % 2 else "bdfghklmnprstvz") for i in range(length))


def vocabulary() -> list[str]:
    """Every word that any caption can contain (but for the made-up ones), sorted."""
    from avatar_exp.tiny.world import PERSON, SCENE  # the tables of values belong to the world

    said = ["a an and with person in wearing", "skin", "eyes", "freckles", "red lips", "earrings", "face"]
    for table in (PLACES, HAIR, GLASSES, BEARDS, EXPRESSIONS, LIGHTS):
        said += table.values()
    for openings in STYLES.values():
        said += openings
    for name in ("hair_color", "skin", "eyes", "earrings", "face"):
        said += PERSON[name]
    for name in ("clothes", "clothes_color", "hat"):
        said += SCENE[name]
    return sorted(set(" ".join(said).replace("{}", "").split()) - {"none"})
