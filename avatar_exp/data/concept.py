"""A concept: the subject, the words that name it, and the photos that show it."""

import os
import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from avatar_exp.data.glance import unreadable
from avatar_exp.data.listing import no_folder
from avatar_exp.data.photos import passed_over, photo_files
from avatar_exp.data.texts import caption_file, own_captions, read_text
from avatar_exp.errors import UserError, counted
from avatar_exp.run_folder import safe_name

RECOMMENDED_PHOTOS = (10, 20)
PLACEHOLDERS = ("{subject}", "{identifier}", "{class}")


@dataclass(frozen=True)
class Concept:
    """What is learnt. The fields are the keys of the config group ``concept``."""

    identifier: str
    instance_data_dir: str
    class_noun: str = "person"
    instance_prompt: str = "photo of {subject}"
    class_prompt: str = "photo of a {class}"
    class_data_dir: str | None = None
    sample_prompts: tuple[str, ...] | None = None
    captions: bool = True

    @property
    def subject(self) -> str:
        """What ``{subject}`` stands for: "hoanganh person"."""
        return f"{self.identifier} {self.class_noun}".strip()

    def fill(self, prompt: str) -> str:
        """A prompt with {subject}, {identifier} and {class} replaced."""
        return fill(prompt, self.subject, self.class_noun, self.identifier)

    def of_class(self, prompt: str) -> str:
        """The same prompt for anyone of the class: "photo of person on the beach"."""
        general = prompt
        for named in ("{subject}", "{identifier} {class}", "{identifier}"):
            general = general.replace(named, "{class}")
        return fill(general, self.subject, self.class_noun, self.identifier).replace(self.subject, self.class_noun)

    def photos(self) -> list[Path]:
        """The photos of the subject, sorted."""
        return photo_files(Path(self.instance_data_dir))

    def caption(self, photo: Path) -> str:
        """The prompt that a photo is trained with: its own ``.txt``, or the instance prompt."""
        own = caption_file(photo) if self.captions else None
        text = read_text(own).strip() if own else ""
        return self.fill(text or self.instance_prompt)

    def key(self, name: str) -> str:
        """What a key of it is called in a message: as it was typed."""
        return f"concept.{name}"

    def faults(self, class_pictures: int | None = None) -> list[str]:
        """Everything that is wrong with it, one line each; empty if it can be trained.

        Args:
            class_pictures: how many of ``class_data_dir`` are going to be used, the first by name; None: all.
        """
        found = []
        if not self.identifier.strip():
            found.append(f"{self.key('identifier')} is empty: choose a word for the subject, such as hoanganh")
        if self.identifier not in self.fill(self.instance_prompt):
            said = f"{self.key('instance_prompt')}={self.instance_prompt!r}"
            found.append(f"{said} does not name the subject: use {{subject}}")
        for name, prompts in self._prompts.items():
            found += placeholder_faults(self.key(name), prompts)
        for name, faults_in in (
            ("instance_data_dir", self._photo_faults),
            ("class_data_dir", lambda: self._class_faults(class_pictures)),
        ):
            try:
                found += faults_in()
            except UserError as error:  # a folder that may not be looked into
                found.append(f"{self.key(name)}={error}")
        return found

    def _photo_faults(self) -> list[str]:
        folder, key = Path(self.instance_data_dir), self.key("instance_data_dir")
        if why := no_folder(folder):
            return [f"{key}={self.instance_data_dir}: {why}"]
        photos, others = self.photos(), passed_over(folder)
        if not photos and not others:
            return [f"{key}={folder}: no picture in it (jpg, png, webp, heic, avif, tiff)"]
        broken = unreadable(photos) + [f"{file}: cannot be read: {cure}" for file, cure in others.items()]
        cure = [f"{broken.pop()}\n{self._without_broken(folder)}"] if broken else []
        return broken + cure + self._caption_faults()

    def _without_broken(self, folder: Path) -> str:
        """What to do about photos that cannot be read; said once, of them all."""
        name = safe_name(self.identifier)
        if folder.resolve() == Path("data", name).resolve():  # where prepare would write
            return "to do: mend or remove what cannot be read"
        typed = {"concept": name, "source": folder, "identifier": self.identifier, "class_noun": self.class_noun}
        usual = {"identifier": name, "class_noun": "person"}
        words = [f"{key}={value}" for key, value in typed.items() if value != usual.get(key)]
        command = shlex.join(["python", "-m", "avatar_exp.prepare", *words])
        return f"to do: mend or remove what cannot be read, or let prepare leave it out: {command}"

    def _class_faults(self, used: int | None) -> list[str]:
        if self.class_data_dir is None:
            return []
        folder = Path(self.class_data_dir)
        pictures = photo_files(folder) if os.path.isdir(folder) else []
        if not pictures:
            return [f"{self.key('class_data_dir')}={self.class_data_dir}: no folder with pictures"]
        return unreadable(pictures[:used], measured=False)

    @property
    def _prompts(self) -> dict[str, Sequence[str]]:
        """Its keys that hold prompts."""
        return {
            "instance_prompt": [self.instance_prompt],
            "class_prompt": [self.class_prompt],
            "sample_prompts": self.sample_prompts or (),
        }

    def _caption_faults(self) -> list[str]:
        texts, found = own_captions(self.photos() if self.captions else ())
        for file, text in texts.items():
            found += placeholder_faults(str(file), [self.fill(text.strip())])
        return found

    def advice(self) -> str | None:
        """A remark on the number of photos, if there is one to make."""
        count, (low, high) = len(self.photos()), RECOMMENDED_PHOTOS
        if low <= count <= high:
            return None
        return f"{self.identifier}: {counted(count, 'photo')}; {low}-{high} are recommended"


def placeholder_faults(key: str, prompts: Iterable[str]) -> list[str]:
    """A line for each of ``prompts``, which came as ``key``, with braces around a word that stands for nothing."""
    unknown = ((prompt, set(re.findall(r"\{[^{}]*\}", prompt)) - {*PLACEHOLDERS}) for prompt in prompts)
    return [
        f"{key}={prompt!r}: {', '.join(sorted(found))} stands for nothing; known: {', '.join(PLACEHOLDERS)}"
        for prompt, found in unknown
        if found
    ]


def fill(prompt: str, subject: str, class_noun: str, identifier: str = "") -> str:
    """A prompt with its placeholders replaced; other braces stay as they are."""
    values = {"{subject}": subject, "{class}": class_noun, "{identifier}": identifier or subject.split(" ")[0]}
    for placeholder, value in values.items():
        prompt = prompt.replace(placeholder, value)
    return prompt
