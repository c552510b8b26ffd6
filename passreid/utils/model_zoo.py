"""The models of passreid among those of mmpretrain."""

from mmpretrain.apis import ModelHub

from .configs import config_path

MODEL_INDEX = 'model-index.yml'
_ONE_OF_OURS = 'pass_vit-s16_lup'


def register_model_zoo() -> None:
    """Make ``mmpretrain.list_models`` and ``mmpretrain.get_model`` know the models of passreid.

    Importing passreid does this; a second call changes nothing. Where the configs are not beside
    the package, there is nothing to make known.

    Examples:
        >>> import mmpretrain
        >>> import passreid
        >>> 'pass_vit-s16_lup' in mmpretrain.list_models('pass*')
        True
    """
    try:
        root = config_path().parent
    except FileNotFoundError:
        return
    # mmpretrain refuses a name that it knows already.
    if not ModelHub.has(_ONE_OF_OURS):
        ModelHub.register_model_index(root / MODEL_INDEX, config_prefix=root)
