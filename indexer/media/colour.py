"""Any decoded picture -> eight bits a channel, on white, in sRGB: what a screen would show."""

from __future__ import annotations

import io
from functools import lru_cache

from PIL import Image, ImageCms

_SCREEN = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
_PLAIN = frozenset({"L", "LA", "RGB", "RGBA", "CMYK", "LAB"})
_SAME = 10
"""Profiles of sRGB by different makers differ by a few levels of 255 in the darkest colours."""
_WIDER = {"1": "L", "La": "LA", "PA": "RGBA", "RGBa": "RGBA"}


def eight_bits(image: Image.Image) -> Image.Image:
    """Return `image` in one of the modes L, LA, RGB, RGBA, CMYK, LAB; deep channels are scaled, never clipped."""
    if "transparency" in image.info and image.mode in ("1", "L", "P", "RGB"):
        return image.convert("RGBA")
    if image.mode in _PLAIN:
        return image
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return _scaled(image)
    return image.convert(_WIDER.get(image.mode, "RGB"))


def screen(image: Image.Image, profile: bytes) -> Image.Image:
    """Return a picture from `eight_bits` as RGB: alpha on white, and out of its ICC `profile` into sRGB."""
    flat = _on_white(image)
    transform = _transform(profile, flat.mode) if profile else None
    if transform is None and flat.mode == "LAB":
        transform = _transform(b"", "LAB")
    if transform is None:
        return flat.convert("RGB")
    shown = ImageCms.applyTransform(flat, transform)
    return shown if shown is not None else flat.convert("RGB")


def _scaled(image: Image.Image) -> Image.Image:
    """Bring grey values of unknown depth to 0..255: by the range of their type, or by their own where it has none."""
    image = _little_endian(image)
    low, high = _extrema(image)
    if image.mode.startswith("I;16"):
        # Nothing above 12 bits: a scanner's or a microscope's 12-bit values, which would come out black.
        low, high = 0.0, 65535.0 if high > 4095 else 4095.0
    elif low >= 0 and high <= 1 and image.mode == "F":
        low, high = 0.0, 1.0
    elif low >= 0 and high <= 255:
        low, high = 0.0, 255.0
    elif low >= 0 and high <= 65535 and image.mode == "I":
        low, high = 0.0, 65535.0
    scale = 255 / (high - low) if high > low else 0.0
    wide = image if image.mode == "F" else image.convert("F")
    return wide.point(lambda value: value * scale + (0.5 - low * scale)).convert("L")


def _little_endian(image: Image.Image) -> Image.Image:
    """Return 16-bit values in the byte order that Pillow converts."""
    if image.mode != "I;16B":
        return image
    swapped = bytearray(image.tobytes())
    swapped[::2], swapped[1::2] = swapped[1::2], swapped[::2]
    return Image.frombytes("I;16", image.size, bytes(swapped))


def _extrema(image: Image.Image) -> tuple[float, float]:
    low, high = image.getextrema()
    if not isinstance(low, (int, float)) or not isinstance(high, (int, float)) or low - low != 0 or high - high != 0:
        raise ValueError("the grey values are not numbers")
    return float(low), float(high)


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode not in ("LA", "RGBA"):
        return image
    colour = image.convert("RGBA")
    white = Image.new("RGBA", colour.size, "white")
    white.alpha_composite(colour)
    return white.convert("RGB")


@lru_cache(maxsize=32)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Return the way from `profile` to sRGB, None when it is sRGB, broken, or made for another kind of picture."""
    try:
        if profile:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        else:
            source = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
        found = ImageCms.buildTransform(source, _SCREEN, mode, "RGB", ImageCms.Intent.RELATIVE_COLORIMETRIC)
        # Only what calls itself sRGB is measured: the others were always carried over, and photos keep their ids.
        named = profile and "srgb" in ImageCms.getProfileDescription(source).lower()
        return None if named and _changes_nothing(found, mode) else found
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None


def _changes_nothing(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    """Return whether a transform leaves colours as they are, as far as an eye can tell."""
    if mode != "RGB":
        return mode == "L"
    levels = range(0, 256, 51)
    colours = bytes(value for red in levels for green in levels for blue in levels for value in (red, green, blue))
    swatch = Image.frombytes("RGB", (len(colours) // 3, 1), colours)
    shown = ImageCms.applyTransform(swatch, transform)
    return shown is not None and all(abs(one - two) <= _SAME for one, two in zip(colours, shown.tobytes(), strict=True))
