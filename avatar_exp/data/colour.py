"""From whatever colours a file holds to 8-bit sRGB: what cameras mean, and what every base was trained on."""

from io import BytesIO
from typing import Any, cast

import numpy as np
from PIL import Image, ImageCms

WIDE = ("I", "I;16", "I;16B", "I;16L", "F")  # grey with more than 8 bits; Pillow itself makes 8 of other colours' 16


def to_srgb(image: Image.Image) -> Image.Image:
    """The picture as 8-bit RGB: its colour profile applied, 16 bits scaled, transparency laid on white.

    White, as a viewer shows it: black would be taught as hair or night. A profile that is broken, or made for other
    colours than the picture has, is passed over: its numbers are then taken for sRGB, as they are without one.
    """
    profile = image.info.get("icc_profile")
    image = _eight_bits(image)
    if not image.has_transparency_data:
        return _without_profile(image, profile)
    layer = image.convert("RGBA")
    colours = _without_profile(image.convert("L") if image.mode in ("LA", "La") else layer.convert("RGB"), profile)
    colours.putalpha(layer.getchannel("A"))
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), colours).convert("RGB")


def _eight_bits(image: Image.Image) -> Image.Image:
    """Grey of 16 bits by its whole range, of floating point by what is there; anything else as it is."""
    if image.mode not in WIDE:
        return image
    values = np.asarray(image, dtype=np.float64)
    white = max(values.max(), 1.0) if image.mode == "F" else 65535
    return Image.fromarray((values / white * 255).round().clip(0, 255).astype(np.uint8))


def _without_profile(image: Image.Image, icc: bytes | None) -> Image.Image:
    """RGB, converted by the profile's bytes where they can be used."""
    if icc:
        try:
            return _converted(image, ImageCms.ImageCmsProfile(BytesIO(icc)))
        except (OSError, ImageCms.PyCMSError):  # no profile, or one for other colours
            pass
    return image.convert("RGB")


def _converted(image: Image.Image, profile: Any) -> Image.Image:
    """RGB, by a profile that was made for the colours that the picture has."""
    if profile.profile.xcolor_space.strip() == "RGB" and image.mode != "CMYK":
        image = image.convert("RGB")  # of a palette, or grey
    if ImageCms.getProfileDescription(profile).startswith("sRGB"):
        return image.convert("RGB")
    made = ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
    return cast(Image.Image, made)  # None only where it is done in place
