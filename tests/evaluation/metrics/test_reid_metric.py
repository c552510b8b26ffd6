import json
import math

import numpy as np
import pytest
import torch
from toy_models import people, validation_config

from passreid.apis import build_runner
from passreid.evaluation import ReIDMetric, load_result
from passreid.evaluation.functional import evaluate_rank
from passreid.registry import METRICS

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


def test_unknown_cameras_remove_the_query_itself_alone():
    rows = [(position, pid, -1, is_query) for position, pid, _, is_query in SMALL]
    samples = samples_of(rows)
    samples[1]['img_path'] = samples[0]['img_path']
    # Counted are 8, 7, 9, 7, as before.
    assert evaluate(samples)['reid/mAP'] == pytest.approx(50)
    samples[1]['img_path'] = 'another.jpg'
    # Counted are 7, 8, 7, 9, 7.
    assert evaluate(samples)['reid/mAP'] == pytest.approx(100 * (1 + 2 / 3 + 3 / 5) / 3)


def test_samples_that_a_sampler_repeats_count_once_in_any_order():
    samples = samples_of([(round(p, 0), *rest) for p, *rest in SMALL])
    expected = evaluate(samples)
    metric = METRICS.build(dict(type='ReIDMetric'))
    for order in ([3, 1, 0, 2, 5, 4, 1], range(6)):  # It starts anew after each evaluation.
        metric.process(None, [samples[index] for index in order])
        assert metric.evaluate(6) == expected


def test_joined_data_sets_number_their_samples_each_by_itself():
    samples = samples_of(SMALL)
    joined = [sample | dict(sample_idx=index // 2) for index, sample in enumerate(samples)]
    assert evaluate(joined) == evaluate(samples)


@pytest.mark.parametrize(
    ('change', 'named'),
    [
        (dict(feature=None), 'feature.*img_path'),
        (dict(cam_id=None), 'cam_id'),
        (dict(feature=torch.tensor([math.nan, 1.0])), r'4\.jpg'),
    ],
)
def test_samples_that_cannot_be_ranked(change, named):
    samples = samples_of(SMALL)
    samples[4] = {k: v for k, v in (samples[4] | change).items() if v is not None}
    with pytest.raises(ValueError, match=named):
        evaluate(samples)


@pytest.mark.parametrize('size', [5, 7])
def test_samples_that_were_not_evaluated_are_missed(size):
    metric = ReIDMetric()
    metric.process(None, samples_of(SMALL))
    with pytest.raises(ValueError, match=f'6 .* {size}'):
        metric.evaluate(size)


@pytest.mark.parametrize(
    ('is_query', 'message'), [(True, '6 queries and 0 gallery'), (False, '0 queries and 6 gallery')]
)
def test_both_sides_are_needed(is_query, message):
    with pytest.raises(ValueError, match=message):
        evaluate(samples_of(SMALL, is_query=is_query))


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(metric='manhattan'), "'euclidean' or 'cosine'"),
        (dict(topk=(0, 1)), 'topk'),
        (dict(tpr_at_fpr=(1e-4, 2)), 'tpr_at_fpr'),
        (dict(rerank=dict(k1=20, weight=0.3)), 'rerank .*weight'),
        (dict(query_expansion=dict(num=5)), 'query_expansion .*num'),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        ReIDMetric(**options)


def test_prefix_and_ranks_can_be_chosen():
    figures = evaluate(samples_of(SMALL), prefix='market1501', topk=(2, 3))
    assert set(figures) == {f'market1501/{name}' for name in ('mAP', 'R2', 'R3', 'mINP')}


def test_query_expansion():
    samples = people(count=60)
    first = evaluate(samples, query_expansion=dict(k=1), metric='cosine')
    assert first == evaluate(samples, query_expansion=dict(k=1, alpha=0), normalize=True)
    assert first != pytest.approx(evaluate(samples, metric='cosine'))


def test_what_cameras_add_is_left_out():
    looks = torch.randn(100, 8, generator=torch.Generator().manual_seed(0))
    rows = [(0, person, camera, camera == 0) for camera in (0, 1) for person in range(100)]
    samples = samples_of(rows)
    for sample in samples:
        # Each camera stretches and shifts what it sees in its own way.
        scale, shift = ((1, 0), (torch.arange(1, 9) / 4, 3))[sample['cam_id']]
        sample['feature'] = looks[sample['gt_label']] * scale + shift
    plain, standard = (evaluate(samples, standardize_cameras=value) for value in (False, True))
    assert plain['reid/R1'] < 50
    assert standard['reid/R1'] > 90


def test_true_positives_at_a_rate_of_false_positives():
    # Counted pairs by distance: 8, 7, 9, 7. Of the two others none, then one, may be accepted.
    figures = evaluate(samples_of(SMALL), tpr_at_fpr=(1e-4, 2.5e-3, 0.5, 1))
    expected = {'1e-4': 0, '2.5e-3': 0, '5e-1': 50, '1e0': 100}
    assert {name: figures[f'reid/TPR@{name}'] for name in expected} == expected


def test_table_of_camera_pairs(log, tmp_path):
    plain = evaluate(samples_of(SMALL))
    figures = evaluate(samples_of(SMALL), per_camera=True, save_dir=str(tmp_path))
    assert figures == plain
    table = log().partition('mAP by camera')[2]
    # Camera 0 has none of the query's matches left, camera 1 has 8 before 7, camera 2 only 7.
    assert table.splitlines()[1:3] == [
        '             0      1      2',
        '      0      -   50.0  100.0',
    ]
    assert table.splitlines()[5] == '      0      -    0.0  100.0'
    with np.load(tmp_path / 'result.npz') as data:
        np.testing.assert_array_equal(data['camera_mAP'], [[np.nan, 0.5, 1]])


def test_saved_result(tmp_path, log):
    samples = samples_of([*SMALL, (0.3, 99, 0, True)])
    figures = evaluate(samples, save_dir=str(tmp_path), save_topk=5)
    assert 'Queries: 2, of which 1' in log()
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
    with pytest.raises(ValueError, match='no re-ranked lists'):
        load_result(tmp_path, rerank=True)
    evaluate(samples, save_dir=str(tmp_path), save_topk=5, rerank=dict(lambda_value=1.0))
    np.testing.assert_array_equal(load_result(tmp_path, rerank=True).indices, result.indices)


@pytest.mark.parametrize('content', [None, b'', b'PK\3\4', b'text'])
def test_missing_and_damaged_results_are_named(tmp_path, content):
    if content is not None:
        (tmp_path / 'result.npz').write_bytes(content)
    with pytest.raises((FileNotFoundError, ValueError), match=r'result\.npz'):
        load_result(tmp_path)


def test_metric_of_a_run(tmp_path):
    runner = build_runner(validation_config(tmp_path))
    assert runner.val() == pytest.approx(evaluate(people()))


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_gpu_gives_the_figures_of_the_cpu(monkeypatch):
    options = dict(rerank=True, per_camera=True, tpr_at_fpr=(0.1,), query_expansion=True)
    on_gpu = evaluate(people(count=200), **options)
    monkeypatch.setattr('passreid.evaluation.metrics.reid_metric.array_device', lambda: 'cpu')
    assert on_gpu == pytest.approx(evaluate(people(count=200), **options), abs=0.5)
