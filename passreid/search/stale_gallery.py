"""Galleries that do not fit a model."""

# What a model's fingerprint is shortened to in messages.
_SHOWN = 12


class StaleGalleryError(ValueError):
    """A gallery holds features of another model, or of another length."""


def check_origin(
    where: str, kept: tuple[int, str], wanted: tuple[int | None, str | None]
) -> tuple[int, str]:
    """Make sure that the features of a gallery are those of a model.

    Args:
        where (str): The gallery, as its user names it.
        kept (tuple): Length of its features and fingerprint of its model.
        wanted (tuple): Those that are expected; None for any.

    Returns:
        tuple[int, str]: ``kept``.

    Raises:
        StaleGalleryError: When they differ.
    """
    names = ('values to a feature', 'model')
    for name, ours, theirs in zip(names, wanted, kept, strict=True):
        if ours is not None and ours != theirs:
            raise StaleGalleryError(
                f'the gallery {where} is that of another model: {name} {_short(theirs)} there, '
                f'but {_short(ours)} here. Weights, config, transforms or flip have changed: '
                'index the images into another gallery, or delete this one and index them anew'
            )
    return kept


def no_gallery(where: str) -> FileNotFoundError:
    """Return the error that a gallery is not there, and that one cannot be made."""
    return FileNotFoundError(
        f'there is no gallery in {where} yet: index images first, or give its dim and model'
    )


def _short(value: object) -> str:
    text = str(value)
    return f'{text[:_SHOWN]}…' if len(text) > _SHOWN else text
