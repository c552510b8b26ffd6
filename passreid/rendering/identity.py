"""What stays the same in all pictures of one person."""

from dataclasses import dataclass

import numpy as np

from . import wardrobe
from .canvas import Color
from .randomness import Rng

DOMAINS = ('a', 'b')


@dataclass(frozen=True)
class Body:
    """Proportions relative to an average adult; ``legs`` moves the hip up or down."""

    shoulders: float
    hips: float
    girth: float
    head: float
    legs: float


@dataclass(frozen=True)
class Head:
    """Skin, hair and what is worn on the head; ``None`` where there is no such thing."""

    skin: Color
    hair: str
    hair_color: Color
    hat: str | None
    hat_color: Color
    beard: bool
    glasses: bool
    scarf: Color | None


@dataclass(frozen=True)
class Garment:
    """One garment and its texture; lengths are in body units."""

    kind: str  # Cut, a key of the wardrobe.
    color: Color
    second: Color  # Of stripes, checks, print, or of what an open jacket shows below.
    texture: str  # As in the wardrobe, or 'open': a jacket that shows ``second``.
    pitch: float  # Width of one stripe or check.
    length: float  # How far it reaches down: height of the hem.
    sleeve: float  # Covered share of the arm, 0 to 1.
    width: float  # Looseness, 1 is tight.


@dataclass(frozen=True)
class Bag:
    """A bag of some kind and the side (-1 right, 1 left) at which it is carried."""

    kind: str
    color: Color
    side: int


@dataclass(frozen=True)
class Identity:
    """A person with clothes, shoes and belongings."""

    body: Body
    head: Head
    upper: Garment
    lower: Garment
    legs: Color
    shoes: Color
    sole: Color
    boots: bool
    bag: Bag | None


def sample_identity(rng: Rng, domain: str) -> Identity:
    """Draw a person from the wardrobe of domain 'a' (summer) or 'b' (winter)."""
    column = DOMAINS.index(domain)
    upper = _sample_garment(rng, domain, wardrobe.UPPER, 0.05)
    lower = _sample_garment(rng, domain, wardrobe.LOWER, 0.045)
    skin = wardrobe.jitter(wardrobe.SKIN[rng.integers(len(wardrobe.SKIN))], rng, 5)
    tights = rng.random() < (0.25, 0.85)[column]
    return Identity(
        body=Body(
            shoulders=rng.uniform(0.86, 1.14),
            hips=rng.uniform(0.88, 1.16),
            girth=float(np.clip(rng.normal(1.03, 0.14), 0.82, 1.45)),
            head=rng.uniform(0.98, 1.16),
            legs=rng.uniform(-0.02, 0.025),
        ),
        head=_sample_head(rng, column, skin),
        upper=upper,
        lower=lower,
        legs=wardrobe.draw_color(wardrobe.BOTTOM_COLORS['b'], rng) if tights else skin,
        shoes=wardrobe.draw_color(wardrobe.SHOE_COLORS[domain], rng),
        sole=wardrobe.CLOTH['white' if rng.random() < 0.4 else 'black'],
        boots=rng.random() < (0.05, 0.3)[column],
        bag=_sample_bag(rng, column),
    )


def _sample_garment(rng: Rng, domain: str, part: wardrobe.Part, widest_pitch: float) -> Garment:
    column = DOMAINS.index(domain)
    kind = wardrobe.draw({kind: cut[0][column] for kind, cut in part.cuts.items()}, rng)
    texture = wardrobe.draw_in(column, part.textures, rng)
    if kind in ('jacket', 'coat', 'puffer') and texture in ('logo', 'block'):
        texture = 'open'
    color = wardrobe.draw_color(part.colors[domain], rng)
    length, *sleeve, width = (rng.uniform(*bounds) for bounds in part.cuts[kind][1:])
    second = wardrobe.contrasting(color, wardrobe.TOP_COLORS[domain], rng)
    pitch = rng.uniform(0.022, widest_pitch)
    return Garment(kind, color, second, texture, pitch, length, sum(sleeve), width)


def _sample_head(rng: Rng, column: int, skin: Color) -> Head:
    hair = wardrobe.draw(wardrobe.HAIR, rng)
    hair_color = rng.choice(len(wardrobe.HAIR_COLORS), p=wardrobe.HAIR_WEIGHTS)
    hat = wardrobe.draw_in(column, wardrobe.HATS, rng) or None
    scarf = wardrobe.draw_color(wardrobe.TOP_COLORS['b'], rng)
    return Head(
        skin=skin,
        hair=hair,
        hair_color=wardrobe.jitter(wardrobe.HAIR_COLORS[hair_color], rng, 4),
        hat=hat,
        hat_color=wardrobe.draw_color(wardrobe.BAG_COLORS, rng),
        beard=hair in ('bald', 'short', 'crop') and rng.random() < 0.25,
        glasses=rng.random() < 0.15,
        scarf=scarf if rng.random() < (0.02, 0.25)[column] else None,
    )


def _sample_bag(rng: Rng, column: int) -> Bag | None:
    kind = wardrobe.draw_in(column, wardrobe.BAGS, rng)
    color = wardrobe.draw_color(wardrobe.BAG_COLORS, rng)
    side = int(rng.choice((-1, 1)))
    return Bag(kind, color, side) if kind else None
