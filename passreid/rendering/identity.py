"""What stays the same in all pictures of one person."""

from dataclasses import dataclass

import numpy as np

from . import wardrobe
from .canvas import Colour
from .wardrobe import choose

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

    skin: Colour
    hair: str
    hair_colour: Colour
    hat: str | None
    hat_colour: Colour
    beard: bool
    glasses: bool
    scarf: Colour | None


@dataclass(frozen=True)
class Garment:
    """One garment and its texture.

    Args:
        kind: Cut, a key of the wardrobe.
        colour: Main colour.
        second: Colour of stripes, checks, print, or of what an open jacket shows below.
        texture: 'plain', 'stripes', 'bars' (upright), 'checks', 'logo', 'block', 'open' (a jacket
            that shows second) or 'piping' (a line down each leg).
        pitch: Width of one stripe or check in body units.
        length: How far it reaches down: height of the hem in body units.
        sleeve: Covered share of the arm, 0 to 1.
        width: Looseness, 1 is tight.
    """

    kind: str
    colour: Colour
    second: Colour
    texture: str
    pitch: float
    length: float
    sleeve: float
    width: float


@dataclass(frozen=True)
class Bag:
    """A bag of some kind and the side (-1 right, 1 left) at which it is carried."""

    kind: str
    colour: Colour
    side: int


@dataclass(frozen=True)
class Identity:
    """A person with clothes, shoes and belongings."""

    body: Body
    head: Head
    upper: Garment
    lower: Garment
    legs: Colour
    shoes: Colour
    sole: Colour
    boots: bool
    bag: Bag | None


def sample_identity(rng: np.random.Generator, domain: str) -> Identity:
    """Draw a person from the wardrobe of a domain.

    Args:
        rng: Source of randomness; the same state gives the same person.
        domain: 'a' (summer) or 'b' (winter).

    Returns:
        The person.
    """
    column = DOMAINS.index(domain)
    upper = _sample_upper(rng, domain, column)
    lower = _sample_lower(rng, domain, column)
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
        legs=wardrobe.draw_colour(wardrobe.BOTTOM_COLOURS['b'], rng) if tights else skin,
        shoes=wardrobe.draw_colour(wardrobe.SHOE_COLOURS[domain], rng),
        sole=wardrobe.CLOTH['white'] if rng.random() < 0.4 else wardrobe.CLOTH['black'],
        boots=bool(rng.random() < (0.05, 0.3)[column]),
        bag=_sample_bag(rng, column),
    )


def _sample_upper(rng: np.random.Generator, domain: str, column: int) -> Garment:
    shares = wardrobe.TOP_COLOURS[domain]
    kind = choose(wardrobe.UPPER_SHARES, column, rng)
    texture = choose(wardrobe.UPPER_TEXTURES, column, rng)
    if kind in ('jacket', 'coat', 'puffer') and texture in ('logo', 'block'):
        texture = 'open'
    colour = wardrobe.draw_colour(shares, rng)
    length, sleeve, width = (rng.uniform(*bounds) for bounds in wardrobe.UPPER_CUTS[kind])
    return Garment(
        kind=kind,
        colour=colour,
        second=wardrobe.contrasting(colour, shares, rng),
        texture=texture,
        pitch=rng.uniform(0.022, 0.05),
        length=length,
        sleeve=sleeve,
        width=width,
    )


def _sample_lower(rng: np.random.Generator, domain: str, column: int) -> Garment:
    shares = wardrobe.BOTTOM_COLOURS[domain]
    kind = choose(wardrobe.LOWER_SHARES, column, rng)
    texture = choose(wardrobe.LOWER_TEXTURES, column, rng)
    colour = wardrobe.draw_colour(shares, rng)
    length, width = (rng.uniform(*bounds) for bounds in wardrobe.LOWER_CUTS[kind])
    return Garment(
        kind=kind,
        colour=colour,
        second=wardrobe.contrasting(colour, wardrobe.TOP_COLOURS[domain], rng),
        texture=texture,
        pitch=rng.uniform(0.022, 0.045),
        length=length,
        sleeve=0.0,
        width=width,
    )


def _sample_head(rng: np.random.Generator, column: int, skin: Colour) -> Head:
    hair = choose(wardrobe.HAIR, column, rng)
    hair_colour = wardrobe.HAIR_COLOURS[
        rng.choice(len(wardrobe.HAIR_COLOURS), p=wardrobe.HAIR_WEIGHTS)
    ]
    hat = choose(wardrobe.HATS, column, rng) or None
    scarf = wardrobe.draw_colour(wardrobe.TOP_COLOURS['b'], rng)
    return Head(
        skin=skin,
        hair=hair,
        hair_colour=wardrobe.jitter(hair_colour, rng, 4),
        hat=hat,
        hat_colour=wardrobe.draw_colour(wardrobe.BAG_COLOURS, rng),
        beard=bool(hair in ('bald', 'short', 'crop') and rng.random() < 0.25),
        glasses=bool(rng.random() < 0.15),
        scarf=scarf if rng.random() < (0.02, 0.25)[column] else None,
    )


def _sample_bag(rng: np.random.Generator, column: int) -> Bag | None:
    kind = choose(wardrobe.BAGS, column, rng)
    colour = wardrobe.draw_colour(wardrobe.BAG_COLOURS, rng)
    side = int(rng.choice((-1, 1)))
    return Bag(kind, colour, side) if kind else None
