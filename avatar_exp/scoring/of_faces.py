"""An identity embedder that looks at faces: the beach behind a person, and a shirt, are not the person."""

from collections.abc import Sequence
from hashlib import blake2b

from PIL import Image
from torch import Tensor

from avatar_exp.data.faces import Box, cascade, find_faces, head
from avatar_exp.scoring.embedders import Embedder


class OfFaces:
    """An embedder, called as any other, that gets of every picture only the head with the largest face.

    Where no face is found it gets the whole picture: to leave such pictures out would flatter a model that draws none.
    """

    def __init__(self, embedder: Embedder) -> None:
        """Wrap ``embedder``.

        Raises:
            UserError: if OpenCV 4 is not there.
        """
        cascade()
        self.embedder = embedder
        self.name = f"{embedder.name} of faces"
        self._heads: dict[bytes, Box | None] = {}  # by content: looking takes longer than embedding does on a GPU

    def __call__(self, images: Sequence[Image.Image]) -> Tensor:
        """[N, D], fp32, on the CPU."""
        return self.embedder([image if (box := self.head(image)) is None else image.crop(box) for image in images])

    def found(self, images: Sequence[Image.Image]) -> list[bool]:
        """Whether each picture has a face, so that only its head is seen."""
        return [self.head(image) is not None for image in images]

    def head(self, image: Image.Image) -> Box | None:
        """What is seen of an RGB picture; None: the whole."""
        key = blake2b(f"{image.size}".encode() + image.tobytes()).digest()
        if key not in self._heads:
            faces = find_faces(image)
            self._heads[key] = head(faces[0], *image.size) if faces else None
        return self._heads[key]
