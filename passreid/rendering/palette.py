"""Colours of people and clothes; all blue, green, red, 0 to 255."""

import numpy as np

from .canvas import Colour

SKIN: tuple[Colour, ...] = (
    (152, 178, 220),
    (136, 166, 212),
    (125, 160, 208),
    (95, 130, 182),
    (60, 90, 140),
    (40, 58, 92),
)
HAIR: tuple[Colour, ...] = (
    (22, 20, 22),
    (26, 28, 38),
    (30, 42, 62),
    (45, 70, 105),
    (90, 140, 180),
    (50, 70, 140),
    (150, 150, 152),
)
HAIR_WEIGHTS = (0.3, 0.2, 0.2, 0.1, 0.1, 0.04, 0.06)

CLOTH: dict[str, Colour] = {
    'black': (34, 32, 34),
    'charcoal': (66, 62, 60),
    'grey': (128, 126, 124),
    'silver': (190, 188, 186),
    'white': (238, 238, 238),
    'cream': (200, 222, 234),
    'navy': (82, 46, 34),
    'denim': (140, 100, 70),
    'pale denim': (196, 166, 138),
    'blue': (190, 96, 40),
    'sky': (222, 178, 128),
    'teal': (132, 128, 36),
    'green': (70, 126, 46),
    'olive': (56, 92, 98),
    'lime': (70, 190, 160),
    'khaki': (124, 160, 182),
    'brown': (44, 64, 96),
    'camel': (88, 136, 184),
    'mustard': (48, 160, 208),
    'yellow': (70, 206, 236),
    'orange': (44, 118, 226),
    'red': (46, 40, 196),
    'burgundy': (52, 30, 104),
    'pink': (188, 160, 230),
    'magenta': (140, 50, 190),
    'purple': (128, 62, 104),
    'lilac': (206, 170, 184),
}

# Share of each colour in the wardrobe of a domain: 'a' is summer, 'b' is winter.
TOP_COLOURS: dict[str, dict[str, float]] = {
    'a': {
        'white': 5, 'black': 4, 'grey': 3, 'silver': 2, 'cream': 2, 'navy': 3, 'blue': 3, 'sky': 3,
        'teal': 2, 'green': 2, 'olive': 1, 'lime': 1, 'khaki': 1, 'mustard': 1, 'yellow': 2,
        'orange': 2, 'red': 3, 'burgundy': 1, 'pink': 2, 'magenta': 1, 'purple': 1, 'lilac': 1,
    },
    'b': {
        'black': 5, 'charcoal': 4, 'grey': 3, 'white': 1, 'cream': 2, 'navy': 4, 'denim': 2,
        'teal': 1, 'green': 1, 'olive': 3, 'khaki': 2, 'brown': 3, 'camel': 3, 'mustard': 2,
        'red': 2, 'burgundy': 3, 'blue': 2, 'purple': 2, 'orange': 1, 'lilac': 1, 'pink': 1,
    },
}  # fmt: skip
BOTTOM_COLOURS: dict[str, dict[str, float]] = {
    'a': {
        'denim': 5, 'pale denim': 3, 'navy': 3, 'black': 4, 'grey': 2, 'white': 2, 'cream': 1,
        'khaki': 3, 'olive': 1, 'red': 1, 'pink': 1, 'sky': 1, 'green': 1, 'mustard': 1, 'brown': 1,
    },
    'b': {
        'black': 6, 'charcoal': 4, 'navy': 4, 'denim': 4, 'grey': 2, 'brown': 3, 'olive': 2,
        'camel': 1, 'burgundy': 1, 'khaki': 1, 'teal': 1,
    },
}  # fmt: skip
SHOE_COLOURS: dict[str, dict[str, float]] = {
    'a': {'white': 5, 'black': 3, 'grey': 2, 'brown': 2, 'red': 1, 'blue': 1, 'yellow': 1},
    'b': {'black': 5, 'brown': 4, 'charcoal': 2, 'white': 2, 'camel': 2, 'burgundy': 1},
}
BAG_COLOURS: dict[str, float] = {
    'black': 4, 'charcoal': 2, 'navy': 2, 'red': 2, 'brown': 2, 'camel': 2, 'olive': 1, 'teal': 1,
    'mustard': 1, 'pink': 1, 'blue': 2, 'purple': 1, 'white': 1, 'orange': 1,
}  # fmt: skip


def jitter(colour: Colour, rng: np.random.Generator, spread: float = 10.0) -> Colour:
    """Return the colour of one real thing of this name: brighter, darker or another tint."""
    shifted = np.array(colour) * rng.uniform(0.85, 1.12) + rng.uniform(-spread, spread, 3)
    blue, green, red = np.clip(shifted, 12, 246).tolist()
    return blue, green, red


def draw_colour(shares: dict[str, float], rng: np.random.Generator) -> Colour:
    """Draw a colour of the wardrobe by its shares."""
    weights = np.array(list(shares.values()))
    name = list(shares)[rng.choice(len(weights), p=weights / weights.sum())]
    return jitter(CLOTH[name], rng)


def contrasting(colour: Colour, shares: dict[str, float], rng: np.random.Generator) -> Colour:
    """Draw a second colour that can be told from the first one in a small picture."""
    for _ in range(8):
        other = draw_colour(shares, rng)
        if np.abs(np.subtract(other, colour)).sum() > 160:
            return other
    return (235.0, 235.0, 235.0) if sum(colour) < 380 else (30.0, 30.0, 34.0)
