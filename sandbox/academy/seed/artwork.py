"""Pictures drawn at seed time, so that the repository holds none."""

from __future__ import annotations

import io
import math
import random
from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise

from django.core.files.base import ContentFile
from PIL import Image, ImageDraw, ImageFilter

WIDTH, HEIGHT = 1200, 675
FINE = 2  # drawn larger, then scaled down: smooth edges

Colour = tuple[int, int, int]
Motif = Callable[[ImageDraw.ImageDraw, random.Random, list[Colour]], None]


def picture(name: str, *, palette: list[str], motif: str) -> ContentFile:
    """Return a JPEG that is always the same for the same name."""
    return ContentFile(_drawn(name, tuple(palette), motif), name=f"{name}.jpg")


# A course and its product show the same, and to blur it takes a third of a second.
@lru_cache
def _drawn(name: str, palette: tuple[str, ...], motif: str) -> bytes:
    colours = [_colour(text) for text in palette]
    canvas = _gradient(colours[0], colours[1])
    layer = Image.new("RGBA", canvas.size)
    MOTIFS[motif](ImageDraw.Draw(layer), random.Random(name), colours[2:])
    glow = layer.filter(ImageFilter.GaussianBlur(40 * FINE))
    canvas = Image.alpha_composite(canvas, glow)
    canvas = Image.alpha_composite(canvas, layer).convert("RGB")
    data = io.BytesIO()
    canvas.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS).save(
        data, "JPEG", quality=88, optimize=True
    )
    return data.getvalue()


def _colour(text: str) -> Colour:
    red, green, blue = bytes.fromhex(text.removeprefix("#"))
    return red, green, blue


def _gradient(start: Colour, end: Colour) -> Image.Image:
    slope = Image.linear_gradient("L").rotate(35, expand=True)
    side = slope.width // 4
    slope = slope.crop((side, side, slope.width - side, slope.height - side))
    size = WIDTH * FINE, HEIGHT * FINE
    return Image.composite(
        Image.new("RGBA", size, (*end, 255)),
        Image.new("RGBA", size, (*start, 255)),
        slope.resize(size, Image.Resampling.BICUBIC),
    )


def _building_blocks(draw, rng, colours) -> None:
    """Rounded blocks that grow to the right, as a project does."""
    size = 75 * FINE
    for column in range(5, 16):
        height = int(1 + (column - 5) * 0.75 + rng.random() * 1.5)
        for row in range(height):
            left, top = column * size, (8 - row) * size
            colour = (*rng.choice(colours), rng.choice([90, 150, 215]))
            gap = 5 * FINE
            draw.rounded_rectangle(
                (left + gap, top + gap, left + size - gap, top + size - gap),
                radius=12 * FINE,
                fill=colour,
            )


def _rings(draw, rng, colours) -> None:
    """Walls around a middle, each with a gap, as defence in depth."""
    x, y = 790 * FINE, 337 * FINE
    for ring in range(7):
        radius = (70 + ring * 62) * FINE
        start = rng.randrange(360)
        draw.arc(
            (x - radius, y - radius, x + radius, y + radius),
            start,
            start + rng.randrange(200, 320),
            fill=(*colours[ring % len(colours)], 225 - ring * 18),
            width=20 * FINE,
        )
    core = 34 * FINE
    draw.ellipse((x - core, y - core, x + core, y + core), fill=(*colours[0], 255))


def _waves(draw, rng, colours) -> None:
    """Lines that everybody can follow."""
    for line in range(16):
        colour = (*colours[line % len(colours)], 70 + line * 11)
        phase, lift = rng.random() * 0.5, 60 + line * 9
        points = [
            (
                x * FINE,
                (
                    180
                    + line * 26
                    + lift * math.sin(x / 210 + line * 0.17 + phase) * (x / WIDTH)
                )
                * FINE,
            )
            for x in range(-20, WIDTH + 21, 8)
        ]
        draw.line(points, fill=colour, width=5 * FINE, joint="curve")


def _tables(draw, rng, colours) -> None:
    """Nodes and the ways between them, as a query plan."""
    levels = [[(330, 337)]]
    for level, count in enumerate([2, 4, 6], start=1):
        step = HEIGHT / count
        levels.append(
            [
                (330 + level * 235 + rng.randint(-20, 20), step * (row + 0.5))
                for row in range(count)
            ]
        )
    for parents, children in pairwise(levels):
        for number, (x, y) in enumerate(children):
            parent = parents[number * len(parents) // len(children)]
            draw.line(
                [(parent[0] * FINE, parent[1] * FINE), (x * FINE, y * FINE)],
                fill=(*colours[0], 150),
                width=rng.choice([3, 6, 10]) * FINE,
            )
    for level, nodes in enumerate(levels):
        for x, y in nodes:
            radius = (44 - level * 7) * FINE
            box = (
                x * FINE - radius * 1.3,
                y * FINE - radius,
                x * FINE + radius * 1.3,
                y * FINE + radius,
            )
            draw.rounded_rectangle(
                box, radius=12 * FINE, fill=(*colours[level % len(colours)], 235)
            )


def _northern_lights(draw, rng, colours) -> None:
    """Curtains of light over hills."""
    for curtain in range(46):
        x = (120 + curtain * 24 + rng.randint(-8, 8)) * FINE
        height = (190 + 150 * math.sin(curtain / 6) + rng.randint(0, 70)) * FINE
        top = (90 + 45 * math.sin(curtain / 4.2)) * FINE
        draw.rounded_rectangle(
            (x, top, x + 12 * FINE, top + height),
            radius=6 * FINE,
            fill=(*colours[curtain // 8 % len(colours)], rng.randrange(70, 190)),
        )
    for hill, (base, shade) in enumerate([(520, 26), (580, 14)]):
        points = [
            (x * FINE, (base + 38 * math.sin(x / (150 + 60 * hill) + hill * 2)) * FINE)
            for x in range(0, WIDTH + 1, 10)
        ]
        draw.polygon(
            [*points, (WIDTH * FINE, HEIGHT * FINE), (0, HEIGHT * FINE)],
            fill=(shade - 8, shade, shade * 2 + 12, 255),
        )


MOTIFS: dict[str, Motif] = {
    "blocks": _building_blocks,
    "rings": _rings,
    "waves": _waves,
    "tables": _tables,
    "lights": _northern_lights,
}
