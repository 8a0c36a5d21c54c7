"""Any decoded picture -> eight bits a channel, on white, in sRGB: what a screen would show."""

from __future__ import annotations

import io
from functools import lru_cache

from PIL import Image, ImageCms

_SCREEN = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
_PLAIN = frozenset({"L", "LA", "RGB", "RGBA", "CMYK", "LAB"})
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
    wide = image.convert("F") if image.mode != "F" else image
    return wide.point(lambda value: value * scale + (0.5 - low * scale)).convert("L")


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
            if "srgb" in ImageCms.getProfileDescription(source).lower():
                return None
        else:
            source = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
        return ImageCms.buildTransform(source, _SCREEN, mode, "RGB", ImageCms.Intent.RELATIVE_COLORIMETRIC)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None
