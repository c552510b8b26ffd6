"""What people wear and carry, of which colors, and how often in summer ('a') and winter ('b')."""

from typing import NamedTuple

import numpy as np

from .canvas import Color
from .randomness import Rng

# Blue, green and red.
SKIN: tuple[Color, ...] = (
    (152, 178, 220), (136, 166, 212), (125, 160, 208), (95, 130, 182), (60, 90, 140), (40, 58, 92),
)  # fmt: skip
HAIR_COLORS: tuple[Color, ...] = (
    (22, 20, 22), (26, 28, 38), (30, 42, 62), (45, 70, 105), (90, 140, 180), (50, 70, 140),
    (150, 150, 152),
)  # fmt: skip
HAIR_WEIGHTS = (0.3, 0.2, 0.2, 0.1, 0.1, 0.04, 0.06)
CLOTH: dict[str, Color] = {
    'black': (34, 32, 34), 'charcoal': (66, 62, 60), 'gray': (128, 126, 124),
    'silver': (190, 188, 186), 'white': (238, 238, 238), 'cream': (200, 222, 234),
    'navy': (82, 46, 34), 'denim': (140, 100, 70), 'pale denim': (196, 166, 138),
    'blue': (190, 96, 40), 'sky': (222, 178, 128), 'teal': (132, 128, 36),
    'green': (70, 126, 46), 'olive': (56, 92, 98), 'lime': (70, 190, 160),
    'khaki': (124, 160, 182), 'brown': (44, 64, 96), 'camel': (88, 136, 184),
    'mustard': (48, 160, 208), 'yellow': (70, 206, 236), 'orange': (44, 118, 226),
    'red': (46, 40, 196), 'burgundy': (52, 30, 104), 'pink': (188, 160, 230),
    'magenta': (140, 50, 190), 'purple': (128, 62, 104), 'lilac': (206, 170, 184),
}  # fmt: skip

# Share of each color in the wardrobe of a domain: 'a' is summer, 'b' is winter.
TOP_COLORS: dict[str, dict[str, float]] = {
    'a': {
        'white': 5, 'black': 4, 'gray': 3, 'silver': 2, 'cream': 2, 'navy': 3, 'blue': 3, 'sky': 3,
        'teal': 2, 'green': 2, 'olive': 1, 'lime': 1, 'khaki': 1, 'mustard': 1, 'yellow': 2,
        'orange': 2, 'red': 3, 'burgundy': 1, 'pink': 2, 'magenta': 1, 'purple': 1, 'lilac': 1,
    },
    'b': {
        'black': 5, 'charcoal': 4, 'gray': 3, 'white': 1, 'cream': 2, 'navy': 4, 'denim': 2,
        'teal': 1, 'green': 1, 'olive': 3, 'khaki': 2, 'brown': 3, 'camel': 3, 'mustard': 2,
        'red': 2, 'burgundy': 3, 'blue': 2, 'purple': 2, 'orange': 1, 'lilac': 1, 'pink': 1,
    },
}  # fmt: skip
BOTTOM_COLORS: dict[str, dict[str, float]] = {
    'a': {
        'denim': 5, 'pale denim': 3, 'navy': 3, 'black': 4, 'gray': 2, 'white': 2, 'cream': 1,
        'khaki': 3, 'olive': 1, 'red': 1, 'pink': 1, 'sky': 1, 'green': 1, 'mustard': 1, 'brown': 1,
    },
    'b': {
        'black': 6, 'charcoal': 4, 'navy': 4, 'denim': 4, 'gray': 2, 'brown': 3, 'olive': 2,
        'camel': 1, 'burgundy': 1, 'khaki': 1, 'teal': 1,
    },
}  # fmt: skip
SHOE_COLORS: dict[str, dict[str, float]] = {
    'a': {'white': 5, 'black': 3, 'gray': 2, 'brown': 2, 'red': 1, 'blue': 1, 'yellow': 1},
    'b': {'black': 5, 'brown': 4, 'charcoal': 2, 'white': 2, 'camel': 2, 'burgundy': 1},
}
BAG_COLORS: dict[str, float] = {
    'black': 4, 'charcoal': 2, 'navy': 2, 'red': 2, 'brown': 2, 'camel': 2, 'olive': 1, 'teal': 1,
    'mustard': 1, 'pink': 1, 'blue': 2, 'purple': 1, 'white': 1, 'orange': 1,
}  # fmt: skip


Columns = tuple[float, float]


class Part(NamedTuple):
    """The garments of one part of the body."""

    # Share of each in 'a' and 'b', then bounds of its sizes: hem height in body units, covered
    # share of the arm (upper garments only) and looseness.
    cuts: dict[str, tuple[Columns, ...]]
    textures: dict[str, Columns]
    colors: dict[str, dict[str, float]]


UPPER = Part(
    cuts={
        'tank': ((1.0, 0.0), (0.49, 0.53), (0.0, 0.0), (1.0, 1.08)),
        'tee': ((5.0, 0.5), (0.46, 0.51), (0.3, 0.45), (1.04, 1.2)),
        'shirt': ((2.5, 1.5), (0.45, 0.51), (0.75, 1.0), (1.06, 1.2)),
        'hoodie': ((1.0, 2.5), (0.46, 0.5), (1.0, 1.0), (1.18, 1.35)),
        'jacket': ((1.0, 3.5), (0.44, 0.51), (1.0, 1.0), (1.15, 1.35)),
        'puffer': ((0.0, 2.0), (0.46, 0.52), (1.0, 1.0), (1.35, 1.6)),
        'coat': ((0.0, 3.5), (0.24, 0.4), (1.0, 1.0), (1.15, 1.4)),
        'dress': ((2.2, 0.6), (0.24, 0.37), (0.0, 0.5), (1.02, 1.12)),
    },
    textures={
        'plain': (0.4, 0.55), 'stripes': (0.17, 0.1), 'bars': (0.07, 0.05), 'checks': (0.09, 0.12),
        'logo': (0.17, 0.06), 'block': (0.1, 0.12),
    },
    colors=TOP_COLORS,
)  # fmt: skip
LOWER = Part(
    cuts={
        'trousers': ((4.0, 6.5), (0.05, 0.08), (1.05, 1.35)),
        'leggings': ((1.2, 2.0), (0.05, 0.1), (0.92, 1.0)),
        'shorts': ((3.0, 0.0), (0.29, 0.36), (1.2, 1.45)),
        'skirt': ((2.0, 1.0), (0.27, 0.38), (1.05, 1.4)),
        'long skirt': ((0.8, 0.5), (0.08, 0.18), (1.1, 1.5)),
    },
    textures={
        'plain': (0.84, 0.84), 'piping': (0.1, 0.1), 'checks': (0.03, 0.03),
        'stripes': (0.03, 0.03),
    },
    colors=BOTTOM_COLORS,
)  # fmt: skip
HAIR: dict[str, float] = {
    'bald': 1, 'short': 8, 'crop': 4, 'bob': 3, 'long': 5, 'ponytail': 3, 'bun': 2, 'afro': 1,
}  # fmt: skip
# The empty name stands for none.
HATS: dict[str, Columns] = {
    'cap': (0.14, 0.05), 'brim': (0.05, 0.02), 'beanie': (0.0, 0.17), 'hijab': (0.04, 0.04),
    '': (0.77, 0.72),
}  # fmt: skip
BAGS: dict[str, Columns] = {
    'backpack': (0.26, 0.2), 'cross bag': (0.14, 0.12), 'tote': (0.1, 0.12),
    'carrier': (0.06, 0.08), '': (0.44, 0.48),
}  # fmt: skip


def draw(shares: dict[str, float], rng: Rng) -> str:
    """Draw a name by its share."""
    weights = np.array(list(shares.values()), dtype=np.float64)
    return list(shares)[rng.choice(len(weights), p=weights / weights.sum())]


def draw_in(column: int, shares: dict[str, Columns], rng: Rng) -> str:
    """Draw a name by its share in the domain of a column."""
    return draw({name: share[column] for name, share in shares.items()}, rng)


def jitter(color: Color, rng: Rng, spread: float = 10.0) -> Color:
    """Return the color of one real thing of this name: brighter, darker or another tint."""
    shifted = np.array(color) * rng.uniform(0.85, 1.12) + rng.uniform(-spread, spread, 3)
    blue, green, red = np.clip(shifted, 12, 246).tolist()
    return blue, green, red


def draw_color(shares: dict[str, float], rng: Rng) -> Color:
    """Draw a color of the wardrobe by its shares."""
    return jitter(CLOTH[draw(shares, rng)], rng)


def contrasting(color: Color, shares: dict[str, float], rng: Rng) -> Color:
    """Draw a second color that can be told from the first one in a small picture."""
    for _ in range(8):
        other = draw_color(shares, rng)
        if np.abs(np.subtract(other, color)).sum() > 160:
            return other
    return (235.0, 235.0, 235.0) if sum(color) < 380 else (30.0, 30.0, 34.0)
