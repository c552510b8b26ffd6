"""Vision transformer with one [PART] token for each area of the body."""

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from mmcv.cnn.bricks import DropPath
from mmengine.logging import print_log
from mmengine.model.weight_init import PretrainedInit, trunc_normal_, update_init_info
from mmpretrain.models import VisionTransformer
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from passreid.registry import MODELS

from ..converters import GRID_KEY, fit_part_vit, load_weights
from ..layers import (
    ICSStem,
    attention,
    prefix_layer,
    prefix_query_key_value,
    resize_table,
    start_from_positions,
)


@MODELS.register_module()
class PartViT(VisionTransformer):
    """ViT whose sequence begins with [CLS] and [PART 1..L].

    Source: `PASS: Part-Aware Self-Supervised Pre-Training for Person
    Re-Identification <https://arxiv.org/abs/2203.03931>`_, section 3.2.

    Weights without part tokens (DINO, DINOv2, DeiT, timm, mmpretrain ViT) may be
    loaded directly: part tokens and positions then start from [CLS] plus noise,
    position tables are resized from any grid and patch embeddings from any size
    of patch, and LayerScale is multiplied into the linear layers, or loaded when
    ``layer_scale_init_value`` is set.

    ``init_cfg=dict(type='Pretrained', checkpoint=FILE)`` takes every file that
    holds such a ViT, whatever contains it: those of the authors and ours (of
    pre-training the teacher's) too. Optional are ``prefix``, the beginning of the
    names of its weights when there are several, and ``min_share`` (0.75), the
    least share of the values of the network that has to be loaded.

    Args:
        arch (str | dict): As in mmpretrain; ViT-S/16 is ``'deit-small'``.
            Defaults to ``'deit-small'``.
        img_size (int | tuple[int, int]): Usual image size (h, w) in pixels.
            Defaults to (256, 128).
        num_parts (int): Number L of [PART] tokens; 0 gives a plain ViT.
            Defaults to 3.
        stem (str): ``'patch'`` or ``'ics'`` (convolutions with IBN).
            Defaults to ``'patch'``.
        interpolate_offset (float): 0.1 resamples positions as the published
            pre-training does, at the native size too; 0 resizes plainly and
            only when the grid differs. Defaults to 0.
        pos_embed_grid (tuple[int, int], optional): Grid (h, w) of the position
            table of the weights to be loaded, when the file does not tell it and
            several are plausible.
        linear_std (float): Standard deviation of freshly drawn linear weights.
            Defaults to 0.02.
        token_std (float): The same for tokens. Defaults to 0.02.
        position_std (float): The same for positions. Defaults to 0.02.
        spatial_prior (float, optional): Not in the published recipe, for small
            models and short runs: positions start as sines and cosines with
            this amplitude, [PART 1..L] at the rows from the top to the bottom
            of the image, and keys equal queries, so that each token begins by
            attending to where it stands. Defaults to None.
        num_registers (int): Number of register tokens of the weights (`Vision
            Transformers Need Registers <https://arxiv.org/abs/2309.16588>`_),
            which take part in attention, have no position and are not returned.
            Defaults to 0.
        mask_token (bool): Have a token that takes the place of masked patches, zero
            at first. As a vector it gets no weight decay where ``flat_decay_mult``
            of the optimizer is 0. Defaults to False.
        with_cp (bool): Recompute the layers in the backward pass to save
            memory. Defaults to False.
        **kwargs: Of :class:`mmpretrain.models.VisionTransformer`.
    """

    init_cfg: Any

    def __init__(
        self,
        arch: str | dict = 'deit-small',
        img_size: int | tuple[int, int] = (256, 128),
        num_parts: int = 3,
        stem: str = 'patch',
        interpolate_offset: float = 0.0,
        pos_embed_grid: tuple[int, int] | None = None,
        linear_std: float = 0.02,
        token_std: float = 0.02,
        position_std: float = 0.02,
        spatial_prior: float | None = None,
        num_registers: int = 0,
        mask_token: bool = False,
        with_cp: bool = False,
        **kwargs,
    ) -> None:
        if stem not in ('patch', 'ics'):
            raise ValueError(f"stem must be 'patch' or 'ics', not {stem!r}")
        self.num_parts = num_parts
        super().__init__(arch=arch, img_size=img_size, **kwargs)
        self.num_extra_tokens = 1 + num_parts
        self.num_registers = num_registers
        self.patch_size = kwargs.get('patch_size', 16)
        self.interpolate_offset = interpolate_offset
        self.pos_embed_grid = pos_embed_grid
        self.linear_std = linear_std
        self.token_std = token_std
        self.position_std = position_std
        self.spatial_prior = spatial_prior
        self.with_cp = with_cp
        if stem == 'ics':
            self.patch_embed = ICSStem(
                self.embed_dims,
                img_size,
                patch_size=self.patch_size,
                in_channels=kwargs.get('in_channels', 3),
            )
            self.patch_resolution = self.patch_embed.init_out_size
        height, width = self.patch_resolution

        def vector() -> nn.Parameter:
            return nn.Parameter(torch.zeros(1, 1, self.embed_dims))

        self.pos_embed = nn.Parameter(torch.zeros(1, height * width, self.embed_dims))
        self.cls_position = vector()
        # One parameter each, since gradients are clipped for each parameter by itself.
        self.part_tokens = nn.ParameterList(vector() for _ in range(num_parts))
        self.part_positions = nn.ParameterList(vector() for _ in range(num_parts))
        registers = torch.zeros(1, num_registers, self.embed_dims)
        self.register_tokens = nn.Parameter(registers) if num_registers else None
        self.mask_token = nn.Parameter(torch.zeros(self.embed_dims)) if mask_token else None
        for layer in self.layers:
            layer.attn.scaled_dot_product_attention = attention
        for module in self.modules():
            if isinstance(module, DropPath):
                # The parent's is a scalar of numpy, at which torch.compile breaks the graph.
                module.drop_prob = float(module.drop_prob)
        self._register_state_dict_hook(_note_grid)
        if self.frozen_stages > 0:
            self._freeze_stages()

    @property
    def unneeded_keys(self) -> tuple[str, ...]:
        """Weights in a file that a backbone does without, for the report of a load."""
        return ('mask_token',) if self.mask_token is None else ()

    def init_weights(self) -> None:
        """Draw linear weights, tokens and positions from normal distributions, then load files.

        The [CLS] position starts at 0, the patch convolution keeps torch's default; truncation is
        at an absolute 2, which is to say none.
        """
        given = self.init_cfg
        others = [given] if isinstance(given, dict) else list(given or ())
        pretrained = [cfg for cfg in others if cfg['type'] in ('Pretrained', PretrainedInit)]
        # mmengine would load the file by itself, before the weights below are drawn.
        self.init_cfg = [cfg for cfg in others if cfg not in pretrained]
        # As ever with a file: layers are drawn, what follows is not, so that neck and head get the
        # numbers they would get from mmengine.
        parent: Any = super(VisionTransformer, self) if pretrained else super()
        parent.init_weights()
        self.init_cfg = given
        with torch.random.fork_rng(devices=[], enabled=bool(pretrained)):
            self._draw_weights()
        for cfg in pretrained:
            self._load_pretrained(**cfg)

    def _draw_weights(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Linear):
                trunc_normal_(module.weight, std=self.linear_std)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        for token in (self.cls_token, *self.part_tokens, *self._registers()):
            trunc_normal_(token, std=self.token_std)
        for position in (self.pos_embed, *self.part_positions):
            trunc_normal_(position, std=self.position_std)
        if self.spatial_prior is not None:
            start_from_positions(self, self.spatial_prior)

    def _load_pretrained(
        self, checkpoint: str, prefix: str | None = None, min_share: float = 0.75, **_
    ) -> None:
        try:
            load_weights(self, checkpoint, prefix=prefix, min_share=min_share)
        except FileNotFoundError as error:
            raise FileNotFoundError(
                f'The pre-trained weights {checkpoint} are not there. Name yours with '
                'model.backbone.init_cfg.checkpoint=FILE, or train from scratch with '
                'model.backbone.init_cfg=None'
            ) from error
        # What mmengine writes to the log file about each parameter; only a parent asks for it.
        if hasattr(self, '_params_init_info'):
            update_init_info(self, init_info=f'PretrainedInit: load from {checkpoint}')

    def forward(
        self,
        x: Tensor,
        part_ids: Tensor | None = None,
        masks: Tensor | None = None,
        with_patches: bool = False,
    ) -> tuple[Tensor]:
        """Encode images ``(B, 3, H, W)`` into a 1-tuple of tokens ``(B, 1 + L, C)``.

        With ``part_ids``, LongTensor ``(B,)`` in [0, L), tokens are ``(B, 2, C)``: [CLS] and the
        [PART] of the area of the body that each image shows.

        The mask token stands in for the patches that ``masks (B, h, w)``, bool, names. With
        ``with_patches`` the tokens of all patches follow, row by row: ``(B, 1 + L + h * w, C)``.
        """
        x, _ = self._embed(x, part_ids, masks)
        num_tokens = self.num_extra_tokens if part_ids is None else 2
        *first, last = self.layers
        for layer in first:
            x = self._run(layer, x)
        if not with_patches:
            last = partial(prefix_layer, last, num_tokens=num_tokens)
        x = self._run(last, x)
        if with_patches and self.num_registers:
            x = torch.cat((x[:, :num_tokens], x[:, num_tokens + self.num_registers :]), 1)
        return (self.ln1(x) if self.final_norm else x,)

    def part_attention(self, x: Tensor) -> Tensor:
        """Attention of [CLS] and each [PART] over images ``(B, 3, H, W)`` in the last layer.

        Maps ``(B, 1 + L, h, w)`` float32 over the patch grid, mean over the heads, sum 1 each.
        """
        x, (height, width) = self._embed(x, None)
        for layer in self.layers[:-1]:
            x = self._run(layer, x)
        query, key, _ = prefix_query_key_value(self.layers[-1], x, self.num_extra_tokens)
        query = query * query.shape[-1] ** -0.5
        others = self.num_extra_tokens + self.num_registers
        scores = query @ key[:, :, others:].transpose(-2, -1)
        return scores.float().softmax(-1).mean(1).unflatten(-1, (height, width))

    def get_layer_depth(self, param_name: str, prefix: str = '') -> tuple[int, int]:
        """Depth of a parameter for layer-wise learning rates; see mmpretrain."""
        inner = param_name.removeprefix(prefix)
        first = 'part_', 'cls_position', 'register_tokens', 'mask_token', 'pre_norm'
        if inner.startswith(first):
            param_name = f'{prefix}cls_token'
        return super().get_layer_depth(param_name, prefix)

    def _embed(
        self, x: Tensor, part_ids: Tensor | None, masks: Tensor | None = None
    ) -> tuple[Tensor, tuple[int, int]]:
        # Without parts, those of another size in training may be local views.
        whole = part_ids is None and (self.num_parts or not self.training)
        if whole and not torch.compiler.is_compiling() and x.shape[2:] != tuple(self.img_size):
            print_log(
                f'Images are {x.shape[2]}x{x.shape[3]} pixels (height x width), img_size of the '
                f'backbone is {self.img_size[0]}x{self.img_size[1]}: positions are resized; change '
                'img_size or the sizes in the pipeline',
                'current',
                logging.WARNING,
            )
        patches, grid = self.patch_embed(x)
        if masks is not None:
            if self.mask_token is None:
                raise ValueError('masks given to a PartViT with mask_token=False')
            if tuple(masks.shape[1:]) != tuple(grid):
                raise ValueError(
                    f'masks are for {tuple(masks.shape[1:])} patches, images have {tuple(grid)}: '
                    f'set MaskPatches to patch_size={self.patch_size}'
                )
            hidden = masks.flatten(1).unsqueeze(2)
            patches = torch.where(hidden, self.mask_token.to(patches.dtype), patches)
        patches = patches + resize_table(
            self.pos_embed,
            self.patch_resolution,
            grid,
            self.interpolate_mode,
            self.interpolate_offset,
        )
        # Unlike `len`, the shape stays a variable in an exported graph.
        size = patches.shape[0]
        prefix = [(self.cls_token + self.cls_position).expand(size, -1, -1)]
        if self.num_parts:
            # Added one by one: the gradients of two joined tables would be views of one memory, to
            # which accumulation and loss scaling would then do everything twice.
            pairs = zip(self.part_tokens, self.part_positions, strict=True)
            parts = torch.cat([token + position for token, position in pairs], 1)
            if part_ids is None:
                prefix.append(parts.expand(size, -1, -1))
            else:
                prefix.append(parts[0, part_ids].unsqueeze(1))
        elif part_ids is not None:
            raise ValueError('part_ids given to a PartViT with num_parts=0')
        # Behind the tokens that are returned, which are the first.
        prefix += [registers.expand(size, -1, -1) for registers in self._registers()]
        sequence = torch.cat([token.to(patches.dtype) for token in prefix] + [patches], dim=1)
        return self.pre_norm(self.drop_after_pos(sequence)), grid

    def _registers(self) -> list[nn.Parameter]:
        return [] if self.register_tokens is None else [self.register_tokens]

    def _run(self, layer: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        if self.with_cp and torch.is_grad_enabled():
            return checkpoint(layer, x, use_reentrant=False)
        return layer(x)

    def _freeze_stages(self) -> None:
        # The parent's constructor calls this before the part tokens exist.
        if not hasattr(self, 'register_tokens'):
            return
        super()._freeze_stages()
        parts = (*self.part_tokens, *self.part_positions)
        for parameter in (self.cls_position, *parts, *self._registers()):
            parameter.requires_grad = False

    def _prepare_pos_embed(
        self, state_dict: dict, prefix: str, local_metadata: dict, *args, **kwargs
    ) -> None:
        """Fit foreign weights to this model before they are loaded."""
        own = [name for name in state_dict if name.startswith(prefix)]
        weights = {name.removeprefix(prefix): state_dict.pop(name) for name in own}
        # What has its place already, such as weights that were fitted to a file's, stays as it is.
        table = weights.get('pos_embed')
        same = 'cls_position' in weights and getattr(table, 'shape', None) == self.pos_embed.shape
        grid = local_metadata.get(GRID_KEY, self.patch_resolution if same else None)
        fit_part_vit(weights, self, grid)
        state_dict.update({prefix + name: value for name, value in weights.items()})


def _note_grid(model: PartViT, state_dict: dict, prefix: str, local_metadata: dict) -> None:
    """Write the grid of the positions where torch keeps the version of a module."""
    local_metadata[GRID_KEY] = tuple(model.patch_resolution)
