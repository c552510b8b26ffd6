"""The configs that come with passreid."""

from pathlib import Path


def config_path(name: str = '') -> Path:
    """Return the path of a config that comes with the package.

    It works from a checkout, an editable installation and a wheel, which holds the configs
    below ``passreid/.mim``. mmengine's ``get_config`` finds only what a wheel holds, and needs a
    module that current setuptools lacks.

    Args:
        name (str): Path below ``configs/``, such as ``'pass/pass_vit-s16_lup.py'``. Defaults to
            '', which means the folder itself.

    Returns:
        Path: Where it is.

    Raises:
        FileNotFoundError: When there is no such config; names those there are.

    Examples:
        >>> from passreid.apis import build_runner
        >>> from passreid.utils import config_path
        >>> runner = build_runner(config_path('pass/pass_vit-s16_lup.py'))  # doctest: +SKIP
    """
    package = Path(__file__).parents[1]
    candidates = (package / '.mim' / 'configs', package.parent / 'configs')
    # A checkout is known by its base configs: any folder may have a `configs` beside it.
    root = next((path for path in candidates if (path / '_base_').is_dir()), None)
    if root is None:
        raise FileNotFoundError(f'passreid has no configs in {" or ".join(map(str, candidates))}')
    path = root / name
    if not path.exists():
        known = sorted(
            str(config.relative_to(root))
            for config in root.rglob('*.py')
            if '_base_' not in config.parts
        )
        raise FileNotFoundError(f'there is no config {name!r} in {root}; there are: {known}')
    return path
