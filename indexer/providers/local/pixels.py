"""What the pixels of a picture say by themselves: shape, light, colours, sharpness."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image, ImageChops, ImageFilter, ImageStat

Rgb = tuple[int, int, int]
Lab = tuple[float, float, float]

_EXEMPLARS: dict[str, tuple[str, ...]] = {
    "black": ("#000000", "#1c1c1c"),
    "grey": ("#484848", "#808080", "#b4b4b4"),
    "white": ("#ffffff", "#ebebeb"),
    "red": ("#c81e1e", "#8c1414", "#f03c3c"),
    "orange": ("#f08c28", "#d2641e", "#ff6a1f", "#c87850"),
    "yellow": ("#f5dc32", "#dcc850", "#c8aa1e", "#dcdc96"),
    "green": ("#3c8c32", "#1e3c1e", "#646e32", "#96c864", "#3fa050", "#4b5a41"),
    "turquoise": ("#32b4b4", "#1e787d", "#8cdcd7"),
    "blue": ("#2850c8", "#141e50", "#4682be", "#8cbeeb", "#6c809f", "#c8dcf0"),
    "purple": ("#783296", "#3c1e50", "#a078c8"),
    "pink": ("#f096be", "#e63c96", "#ffc8d2"),
    "brown": ("#784b28", "#3c2314", "#96693c"),
    "beige": ("#e1cdaa", "#c8b496"),
}
_KERNEL = ImageFilter.Kernel((3, 3), (0, 1, 0, 1, -4, 1, 0, 1, 0), scale=1, offset=128)
_SHARP, _SOFT = 1000.0, 100.0
"""Variance of the Laplacian at 256 pixels; the pictures in `sample_images` have 460 to 3800, blurred ones 30 to 215."""
_DARK, _BRIGHT = 70.0, 170.0
_FLAT, _CONTRASTY = 6.0, 75.0
_COLOURLESS = 3.0
_NEUTRAL = frozenset({"black", "grey", "white"})
_NEUTRAL_SHARE, _COLOUR_SHARE = 0.15, 0.06
"""Shares worth a word: a red cup is small on its table and still what one remembers."""
_PALETTE = 12


@dataclass(frozen=True, slots=True)
class PixelWords:
    """What was measured, in words; a word is "" where the picture is nothing special.

    `colours` are names with their share of the picture, the largest first.
    """

    shape: str
    light: str
    contrast: str
    focus: str
    colourless: bool
    colours: tuple[tuple[str, float], ...]


def look(picture: Image.Image) -> PixelWords:
    """Measure an RGB picture."""
    grey = picture.convert("L")
    grey.thumbnail((256, 256), Image.Resampling.BOX)
    statistics = ImageStat.Stat(grey)
    brightness, spread = statistics.mean[0], statistics.stddev[0]
    return PixelWords(
        shape=_shape(picture.width / picture.height),
        light="dark" if brightness < _DARK else "bright" if brightness > _BRIGHT else "",
        contrast="plain" if spread < _FLAT else "high contrast" if spread > _CONTRASTY else "",
        focus="" if spread < _FLAT else _focus(grey),
        colourless=_chroma(picture) < _COLOURLESS,
        colours=_colours(picture),
    )


def sentence(seen: PixelWords) -> str:
    """Return one sentence that claims no more than was measured."""
    kind = "black-and-white picture" if seen.colourless else "picture"
    subject = " ".join(filter(None, (seen.light, seen.contrast.replace(" ", "-"), seen.focus, kind)))
    names = _named(seen)[:3]
    colours = f", mostly {_listed(names)}" if names else ""
    return f"A {subject} in {seen.shape}{colours}."


def tags(seen: PixelWords) -> tuple[str, ...]:
    """Return the same as lower-case tags."""
    kind = "black and white" if seen.colourless else ""
    return tuple(filter(None, (*_named(seen), kind, seen.light, seen.contrast, seen.shape)))


def _shape(ratio: float) -> str:
    """Name the shape; never bare "landscape" or "portrait", which searchers mean as subjects."""
    if ratio >= 2:
        return "panorama format"
    if 0.95 <= ratio <= 1.05:
        return "square format"
    return "landscape format" if ratio > 1 else "portrait format"


def _focus(grey: Image.Image) -> str:
    detail = ImageStat.Stat(grey.filter(_KERNEL)).var[0]
    return "sharp" if detail > _SHARP else "soft" if detail < _SOFT else ""


def _chroma(picture: Image.Image) -> float:
    """Return the mean distance from grey, 0..128."""
    small = picture.resize((64, 64), Image.Resampling.BOX).convert("YCbCr")
    middle = Image.new("L", small.size, 128)
    distances = [ImageChops.difference(small.getchannel(band), middle) for band in ("Cb", "Cr")]
    return max(ImageStat.Stat(distance).mean[0] for distance in distances)


def _colours(picture: Image.Image) -> tuple[tuple[str, float], ...]:
    small = picture.resize((64, 64), Image.Resampling.BOX)
    reduced = small.quantize(_PALETTE, Image.Quantize.MEDIANCUT).convert("RGB")
    shares: dict[str, float] = {}
    for count, colour in reduced.getcolors() or []:
        if isinstance(colour, tuple):
            name = colour_name((colour[0], colour[1], colour[2]))
            shares[name] = shares.get(name, 0.0) + count / (64 * 64)
    return tuple(sorted(shares.items(), key=lambda pair: (-pair[1], pair[0])))


def colour_name(colour: Rgb) -> str:
    """Return the plain name of an sRGB colour, by nearness in Lab."""
    where = _lab(colour)
    return min(_NAMED, key=lambda named: sum((a - b) ** 2 for a, b in zip(named[0], where, strict=True)))[1]


def _lab(colour: Rgb) -> Lab:
    """Return sRGB as CIE Lab (D65)."""
    red, green, blue = (
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in (channel / 255 for channel in colour)
    )
    x, y, z = (
        value ** (1 / 3) if value > 0.008856 else 7.787 * value + 16 / 116
        for value in (
            (0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.95047,
            0.2126 * red + 0.7152 * green + 0.0722 * blue,
            (0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.08883,
        )
    )
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def _rgb(written: str) -> Rgb:
    return int(written[1:3], 16), int(written[3:5], 16), int(written[5:7], 16)


_NAMED = tuple((_lab(_rgb(written)), name) for name, all_of in _EXEMPLARS.items() for written in all_of)


def _named(seen: PixelWords) -> list[str]:
    """The colours worth naming; the greys of a black-and-white picture are not."""
    if seen.colourless and seen.contrast != "plain":
        return []
    return [name for name, share in seen.colours if share >= (_NEUTRAL_SHARE if name in _NEUTRAL else _COLOUR_SHARE)]


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
