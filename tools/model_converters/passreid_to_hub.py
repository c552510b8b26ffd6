"""Write a model as a folder for the hub of Hugging Face: weights, config and model card.

passreid.from_pretrained opens the folder; with --timm, timm.create_model('local-dir:FOLDER') does,
for models without part tokens. With --push it is uploaded, too (`hf auth login` comes before).

Example:
    python tools/model_converters/passreid_to_hub.py configs/supervised/vit-t8_synthetic.py \
        work_dirs/vit-t8_synthetic/epoch_30.pth hub --license mit --data 'rendered pedestrians' \
        --figures mAP=76.7 Rank-1=89.0
"""

from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter

from passreid.apis import get_model, load_config, push_to_hub, save_pretrained, save_timm
from passreid.utils.config import add_config_options, apply_config_options


def figure(text: str) -> tuple[str, float]:
    """Read NAME=NUMBER."""
    name, _, number = text.rpartition('=')
    if not name:
        raise ValueError(text)
    return name, float(number)


def parse_args() -> Namespace:
    """Read the command line."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    option = parser.add_argument
    option('config', help='config file of the model')
    option('checkpoint', help='its weights, as for tools/test.py')
    option('folder', help='where the files are written')
    option('--timm', action='store_true', help='write the backbone for timm')
    option('--push', metavar='USER/NAME', help='upload the folder to this repository')
    option('--private', action='store_true', help='make the repository a private one')
    option('--name', default='', help='of the model (default: that of the config)')
    option('--license', default='', help='of the weights, such as mit')
    option('--data', default='', help='what it was trained on')
    option('--recipe', default='', help='how it was trained')
    option('--figures', nargs='+', type=figure, default=[], metavar='NAME=NUMBER')
    add_config_options(parser)
    return parser.parse_args()


def main() -> None:
    """Write, and upload if wanted."""
    args = parse_args()
    cfg = load_config(args.config)
    apply_config_options(cfg, args)
    model = get_model(cfg, args.checkpoint)
    card = {name: getattr(args, name) for name in ('name', 'license', 'data', 'recipe')}
    save = save_timm if args.timm else save_pretrained
    print(f'Wrote {save(model, args.folder, **card, figures=dict(args.figures))}')
    if args.push:
        print(f'Uploaded: {push_to_hub(args.folder, args.push, args.private)}')


if __name__ == '__main__':
    main()
