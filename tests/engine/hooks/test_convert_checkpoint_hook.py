import torch

from passreid.apis import build_runner
from passreid.engine import ConvertCheckpointHook


def test_weights_are_renamed_before_they_are_loaded(toy_config, tmp_path):
    runner = build_runner(toy_config())
    weights = {f'old.{n}': torch.ones_like(v) for n, v in runner.model.state_dict().items()}
    torch.save({'state_dict': weights, 'optimizer': 'stale'}, tmp_path / 'old.pth')
    seen = []

    def convert(checkpoint, wanted):
        seen.append((set(checkpoint), wanted))
        content = checkpoint['state_dict']
        return {n.removeprefix('old.'): v for n, v in content.items()}, 'Recognised an old file.'

    runner.register_hook(ConvertCheckpointHook(convert))
    runner.load_checkpoint(str(tmp_path / 'old.pth'))
    assert seen == [({'state_dict', 'optimizer'}, set(runner.model.state_dict()))]
    assert all((value == 1).all() for value in runner.model.state_dict().values())


def test_known_names_stay(toy_config, tmp_path):
    runner = build_runner(toy_config())
    runner.register_hook(ConvertCheckpointHook(lambda checkpoint, wanted: None))
    torch.save({'state_dict': runner.model.state_dict()}, tmp_path / 'own.pth')
    runner.load_checkpoint(str(tmp_path / 'own.pth'), strict=True)
