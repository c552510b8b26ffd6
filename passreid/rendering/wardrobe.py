"""What people wear and carry, and how often in domain 'a' (summer) and 'b' (winter)."""

import numpy as np

Shares = dict[str, tuple[float, float]]
Bounds = tuple[float, float]

UPPER_SHARES: Shares = {
    'tank': (1.0, 0.0),
    'tee': (5.0, 0.5),
    'shirt': (2.5, 1.5),
    'hoodie': (1.0, 2.5),
    'jacket': (1.0, 3.5),
    'puffer': (0.0, 2.0),
    'coat': (0.0, 3.5),
    'dress': (2.2, 0.6),
}
# Bounds of hem height in body units, of the covered share of the arm and of looseness.
UPPER_CUTS: dict[str, tuple[Bounds, Bounds, Bounds]] = {
    'tank': ((0.49, 0.53), (0.0, 0.0), (1.0, 1.08)),
    'tee': ((0.46, 0.51), (0.3, 0.45), (1.04, 1.2)),
    'shirt': ((0.45, 0.51), (0.75, 1.0), (1.06, 1.2)),
    'hoodie': ((0.46, 0.5), (1.0, 1.0), (1.18, 1.35)),
    'jacket': ((0.44, 0.51), (1.0, 1.0), (1.15, 1.35)),
    'puffer': ((0.46, 0.52), (1.0, 1.0), (1.35, 1.6)),
    'coat': ((0.24, 0.4), (1.0, 1.0), (1.15, 1.4)),
    'dress': ((0.24, 0.37), (0.0, 0.5), (1.02, 1.12)),
}
UPPER_TEXTURES: Shares = {
    'plain': (0.4, 0.55),
    'stripes': (0.17, 0.1),
    'bars': (0.07, 0.05),
    'checks': (0.09, 0.12),
    'logo': (0.17, 0.06),
    'block': (0.1, 0.12),
}
LOWER_SHARES: Shares = {
    'trousers': (4.0, 6.5),
    'leggings': (1.2, 2.0),
    'shorts': (3.0, 0.0),
    'skirt': (2.0, 1.0),
    'long skirt': (0.8, 0.5),
}
# Bounds of hem height in body units and of looseness.
LOWER_CUTS: dict[str, tuple[Bounds, Bounds]] = {
    'trousers': ((0.05, 0.08), (1.05, 1.35)),
    'leggings': ((0.05, 0.1), (0.92, 1.0)),
    'shorts': ((0.29, 0.36), (1.2, 1.45)),
    'skirt': ((0.27, 0.38), (1.05, 1.4)),
    'long skirt': ((0.08, 0.18), (1.1, 1.5)),
}
LOWER_TEXTURES: Shares = {
    'plain': (0.84, 0.84),
    'piping': (0.1, 0.1),
    'checks': (0.03, 0.03),
    'stripes': (0.03, 0.03),
}
HAIR: Shares = {
    'bald': (1, 1),
    'short': (8, 8),
    'crop': (4, 4),
    'bob': (3, 3),
    'long': (5, 5),
    'ponytail': (3, 3),
    'bun': (2, 2),
    'afro': (1, 1),
}
# The empty name stands for none.
HATS: Shares = {
    'cap': (0.14, 0.05),
    'brim': (0.05, 0.02),
    'beanie': (0.0, 0.17),
    'hijab': (0.04, 0.04),
    '': (0.77, 0.72),
}
BAGS: Shares = {
    'backpack': (0.26, 0.2),
    'cross bag': (0.14, 0.12),
    'tote': (0.1, 0.12),
    'carrier': (0.06, 0.08),
    '': (0.44, 0.48),
}


def choose(shares: Shares, column: int, rng: np.random.Generator) -> str:
    """Draw a name by its share in a domain.

    Args:
        shares: For each name its weights in the domains.
        column: Which domain, from 0.
        rng: Source of randomness.

    Returns:
        The name.
    """
    weights = np.array([share[column] for share in shares.values()], dtype=np.float64)
    return list(shares)[rng.choice(len(weights), p=weights / weights.sum())]
