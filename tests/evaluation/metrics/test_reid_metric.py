import json
import math
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.logging import MMLogger
from tiny_runs import pass_config
from toy_models import people, validation_config

from passreid.apis import build_runner
from passreid.evaluation import ReIDMetric, load_result
from passreid.evaluation.functional import evaluate_rank
from passreid.registry import METRICS

ROOT = Path(__file__).parents[3]
# A query of id 7 under camera 0, and the gallery by distance from it.
SMALL = [
    (0.0, 7, 0, True),
    (0.1, 7, 0, False),  # same camera: does not count
    (0.2, 8, 1, False),
    (0.3, 7, 1, False),
    (0.4, 9, 0, False),
    (0.5, 7, 2, False),
]


def samples_of(rows, **changes):
    return [
        dict(
            feature=torch.tensor([position, 1.0]),
            gt_label=pid,
            cam_id=cam_id,
            is_query=is_query,
            sample_idx=index,
            img_path=f'{index}.jpg',
        )
        | changes
        for index, (position, pid, cam_id, is_query) in enumerate(rows)
    ]


def evaluate(samples, batch_size=4, **options):
    metric = ReIDMetric(**options)
    for start in range(0, len(samples), batch_size):
        metric.process(None, samples[start : start + batch_size])
    return metric.evaluate(len(samples))


def info_lines(monkeypatch):
    lines = []
    monkeypatch.setattr(MMLogger.get_current_instance(), 'info', lines.append)
    return lines


def test_figures_of_a_small_gallery():
    # Counted are 8, 7, 9, 7: matches at ranks 2 and 4.
    assert evaluate(samples_of(SMALL)) == pytest.approx(
        {
            'reid/mAP': 50.0,
            'reid/R1': 0.0,
            'reid/R5': 100.0,
            'reid/R10': 100.0,
            'reid/R20': 100.0,
            'reid/mINP': 50.0,
        }
    )


def test_recorded_ranking(reference):
    data = reference('ranking')
    samples = [
        dict(feature=feature, gt_label=pid, cam_id=cam_id, is_query=side == 'q')
        for side, name in (('q', 'query'), ('g', 'gallery'))
        for feature, pid, cam_id in zip(
            data[f'{name}_feat'], data[f'{side}_pids'], data[f'{side}_camids'], strict=True
        )
    ]
    for index, sample in enumerate(samples):
        sample.update(sample_idx=index, img_path=f'{index}.jpg', cam_id=int(sample['cam_id']))
    figures = evaluate(samples, batch_size=64, normalize=True)
    assert figures['reid/mAP'] == pytest.approx(100 * float(data['mAP']), abs=1e-4)
    for rank in (1, 5, 10, 20):
        expected = 100 * float(data['cmc'][rank - 1])
        assert figures[f'reid/R{rank}'] == pytest.approx(expected, abs=1e-4)
    assert evaluate(samples, metric='cosine') == pytest.approx(figures)
    reranked = evaluate(samples, normalize=True, rerank=True)
    # These distances were recorded in float32, the scores of re-ranking in half precision.
    labels = [data[name] for name in ('q_pids', 'g_pids', 'q_camids', 'g_camids')]
    expected = 100 * evaluate_rank(data['rerank_dist_f32'], *labels).mAP
    assert reranked.pop('reid/rerank_mAP') == pytest.approx(expected, abs=1e-4)
    assert {name: reranked[name] for name in figures} == figures
    assert {name for name in reranked if name not in figures} == {
        f'reid/rerank_{name}' for name in ('R1', 'R5', 'R10', 'R20', 'mINP')
    }


def test_normalization_and_cosine_look_at_directions_alone():
    rows = [((1, 0), 1, 0, True), ((9, 1), 1, 1, False), ((0.9, 0.9), 2, 1, False)]
    samples = [
        sample | {'feature': torch.tensor(feature, dtype=torch.float32)}
        for sample, (feature, *_) in zip(
            samples_of([(0, *row[1:]) for row in rows]), rows, strict=True
        )
    ]
    first = {
        options: evaluate(samples, topk=(1,), **dict(options))['reid/R1']
        for options in (
            (),
            (('normalize', True),),
            (('metric', 'cosine'),),
        )
    }
    assert list(first.values()) == [0, 100, 100]


def test_unknown_cameras_remove_the_query_itself_alone():
    rows = [(position, pid, -1, is_query) for position, pid, _, is_query in SMALL]
    samples = samples_of(rows)
    samples[1]['img_path'] = samples[0]['img_path']
    # Counted are 8, 7, 9, 7, as before.
    assert evaluate(samples)['reid/mAP'] == pytest.approx(50)
    samples[1]['img_path'] = 'another.jpg'
    # Counted are 7, 8, 7, 9, 7.
    assert evaluate(samples)['reid/mAP'] == pytest.approx(100 * (1 + 2 / 3 + 3 / 5) / 3)


def test_queries_without_a_match_are_left_out_and_counted(monkeypatch):
    lines = info_lines(monkeypatch)
    rows = [*SMALL, (0.3, 99, 0, True), (0.3, 9, 0, True)]
    assert evaluate(samples_of(rows))['reid/mAP'] == pytest.approx(50)
    assert any('Queries: 3, of which 2 are left out' in line for line in lines)


def test_order_of_the_batches_makes_no_difference_even_with_ties():
    samples = samples_of([(round(p, 0), *rest) for p, *rest in SMALL] * 3)
    expected = evaluate(samples)
    shuffled = [samples[index] for index in np.random.default_rng(0).permutation(len(samples))]
    assert evaluate(shuffled, batch_size=5) == expected


def test_samples_that_a_sampler_repeats_count_once():
    samples = samples_of(SMALL)
    metric = ReIDMetric()
    metric.process(None, samples + samples[:4])
    assert metric.evaluate(len(samples))['reid/mAP'] == pytest.approx(50)


@pytest.mark.parametrize('size', [5, 7])
def test_samples_that_were_not_evaluated_are_missed(size):
    metric = ReIDMetric()
    metric.process(None, samples_of(SMALL))
    with pytest.raises(ValueError, match=f'6 different samples .* the data set has {size}'):
        metric.evaluate(size)


def test_nothing_was_processed():
    with pytest.raises(ValueError, match='0 different samples were evaluated'):
        ReIDMetric().evaluate(3)


@pytest.mark.parametrize(
    ('is_query', 'message'), [(True, '6 queries and 0 gallery'), (False, '0 queries and 6 gallery')]
)
def test_both_sides_are_needed(is_query, message):
    with pytest.raises(ValueError, match=message):
        evaluate(samples_of(SMALL, is_query=is_query))


def test_no_match_at_all():
    rows = [(position, index, 0, index == 0) for index, (position, *_) in enumerate(SMALL)]
    with pytest.raises(ValueError, match='none of the 1 queries has a match'):
        evaluate(samples_of(rows))


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(metric='manhattan'), "'euclidean' or 'cosine'"),
        (dict(topk=()), 'ranks from 1'),
        (dict(topk=(0, 1)), 'ranks from 1'),
        (dict(tpr_at_fpr=(1e-4, 2)), r'rates in \[0, 1\]'),
        (dict(rerank=dict(k1=20, weight=0.3)), r"rerank has unknown entries \['weight'\]"),
        (dict(query_expansion=dict(num=5)), r'query_expansion .* known are .*alpha'),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        ReIDMetric(**options)


def test_prefix_and_ranks_can_be_chosen():
    figures = evaluate(samples_of(SMALL), prefix='market1501', topk=(2, 3))
    assert set(figures) == {f'market1501/{name}' for name in ('mAP', 'R2', 'R3', 'mINP')}


def test_reranking_takes_its_parameters():
    samples = people(count=60)
    figures = [
        evaluate(samples, rerank=options)
        for options in (True, dict(k1=20, k2=6, lambda_value=0.3), dict(k1=3, k2=2), {})
    ]
    assert figures[0] == figures[1] == figures[3]
    assert figures[2]['reid/rerank_mAP'] != figures[0]['reid/rerank_mAP']
    # With the original distance alone the order stays.
    same = evaluate(samples, rerank=dict(lambda_value=1.0))
    assert same['reid/rerank_mAP'] == pytest.approx(same['reid/mAP'])


def test_query_expansion_by_its_definition():
    rows = [*SMALL, (0.5, 8, 0, True)]
    samples = samples_of(rows)
    first = evaluate(samples, query_expansion=dict(k=1), metric='cosine')
    assert first == evaluate(samples, query_expansion=dict(k=1, alpha=0), normalize=True)
    # By the definition, written out.
    features = np.stack([sample['feature'].numpy() for sample in samples])
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    is_query = np.array([row[3] for row in rows])
    nearest = (features[is_query] @ features[~is_query].T).argmax(1)
    expanded = features.copy()
    expanded[is_query] += features[~is_query][nearest]
    for sample, feature in zip(samples, expanded, strict=True):
        sample['feature'] = torch.from_numpy(feature)
    assert first == pytest.approx(evaluate(samples, metric='cosine'))


def test_query_expansion_looks_at_directions_alone():
    samples = people(count=60)
    figures = evaluate(samples, query_expansion=True)
    lengths = np.random.default_rng(0).uniform(0.2, 5, len(samples)).tolist()
    for sample, length in zip(samples, lengths, strict=True):
        sample['feature'] = length * sample['feature']
    assert evaluate(samples, query_expansion=True) == pytest.approx(figures)
    assert evaluate(samples) != pytest.approx(figures)


def test_true_positives_at_a_rate_of_false_positives():
    # Counted pairs by distance: 8, 7, 9, 7. Of the two others none, then one, may be accepted.
    figures = evaluate(samples_of(SMALL), tpr_at_fpr=(1e-4, 2.5e-3, 0.5, 1))
    expected = {'1e-4': 0, '2.5e-3': 0, '5e-1': 50, '1e0': 100}
    assert {name: figures[f'reid/TPR@{name}'] for name in expected} == expected


def test_table_of_camera_pairs(monkeypatch, tmp_path):
    lines = info_lines(monkeypatch)
    plain = evaluate(samples_of(SMALL))
    figures = evaluate(samples_of(SMALL), per_camera=True, save_dir=str(tmp_path))
    assert figures == plain
    (table,) = [line for line in lines if line.startswith('mAP by camera')]
    # Camera 0 has none of the query's matches left, camera 1 has 8 before 7, camera 2 only 7.
    assert table.splitlines()[1:3] == [
        '             0      1      2',
        '      0      -   50.0  100.0',
    ]
    assert table.splitlines()[5] == '      0      -    0.0  100.0'
    with np.load(tmp_path / 'result.npz') as data:
        np.testing.assert_array_equal(data['camera_mAP'], [[np.nan, 0.5, 1]])


def test_metric_starts_anew_after_each_evaluation():
    metric = METRICS.build(dict(type='ReIDMetric'))
    for _ in range(2):
        metric.process(None, samples_of(SMALL))
        assert metric.evaluate(6)['reid/mAP'] == pytest.approx(50)


def test_saved_result(tmp_path):
    samples = samples_of([*SMALL, (0.3, 99, 0, True)])
    figures = evaluate(samples, save_dir=str(tmp_path), save_topk=5)
    result = load_result(tmp_path)
    assert result.query_paths.tolist() == ['0.jpg', '6.jpg']
    found = result.gallery_paths[result.indices[0, :4]].tolist()
    assert found == ['2.jpg', '3.jpg', '4.jpg', '5.jpg']
    assert result.indices[0, 4] == -1
    np.testing.assert_allclose(result.distances[0, :4], np.square([0.2, 0.3, 0.4, 0.5]), atol=1e-6)
    assert result.average_precision[0] == pytest.approx(0.5)
    assert math.isnan(result.average_precision[1])
    assert json.loads((tmp_path / 'metrics.json').read_text()) == pytest.approx(
        {name.removeprefix('reid/'): value for name, value in figures.items()}
    )
    with np.load(tmp_path / 'result.npz') as data:
        expected = torch.stack([sample['feature'] for sample in samples])
        np.testing.assert_array_equal(data['features'], expected)
        assert data['first_hit_rank'].tolist() == [2, 0]


def test_metric_of_a_run(tmp_path):
    runner = build_runner(validation_config(tmp_path))
    assert runner.val() == pytest.approx(evaluate(people()))


def test_metric_watches_pre_training(tmp_path):
    """Persons of one color each, seen by two cameras: even untrained features tell them apart."""
    generator = np.random.default_rng(0)
    for split, cameras in (('query', (1,)), ('bounding_box_test', (1, 2))):
        (tmp_path / split).mkdir()
        for pid, color in enumerate(((250, 20, 20), (20, 250, 20), (20, 20, 250)), start=1):
            for camera in cameras:
                pixels = np.clip(color + generator.normal(0, 4, (64, 32, 3)), 0, 255)
                name = f'{pid:04d}_c{camera}s1_000001_00.jpg'
                cv2.imwrite(str(tmp_path / split / name), pixels.astype(np.uint8))
    pipeline = [
        dict(type='LoadPersonImage'),
        dict(type='Resize', scale=(16, 32)),
        dict(type='PackInputs', meta_keys=('img_path', 'cam_id', 'is_query', 'sample_idx')),
    ]
    config = pass_config(
        ROOT,
        tmp_path,
        tmp_path / 'run',
        val_cfg={},
        val_dataloader=dict(
            dataset=dict(
                type='Market1501', data_root=str(tmp_path), split='test', pipeline=pipeline
            ),
            sampler=dict(type='DefaultSampler', shuffle=False),
            batch_size=4,
        ),
        val_evaluator=dict(type='ReIDMetric', save_dir=str(tmp_path / 'result')),
    )
    figures = build_runner(config).val()
    assert figures['reid/mAP'] == figures['reid/R1'] == 100
    with np.load(tmp_path / 'result' / 'result.npz') as data:
        # [CLS] and the mean of the parts, of unit length.
        assert data['features'].shape == (9, 32)
        np.testing.assert_allclose(np.linalg.norm(data['features'], axis=1), 1, atol=1e-5)


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_gpu_gives_the_figures_of_the_cpu(monkeypatch):
    options = dict(rerank=True, per_camera=True, tpr_at_fpr=(0.1,), query_expansion=True)
    on_gpu = evaluate(people(count=200), **options)
    monkeypatch.setattr('passreid.evaluation.metrics.reid_metric.array_device', lambda: 'cpu')
    assert on_gpu == pytest.approx(evaluate(people(count=200), **options), abs=0.5)
