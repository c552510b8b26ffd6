import re
from functools import partial
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from literal_definitions import literal_jaccard, literal_re_ranking, people

PEAKS = {'plain': 80 * 2**20, 'ours': 20 * 2**20, 'masked': 30 * 2**20}


@pytest.fixture
def tool(load_tool, monkeypatch):
    """Load a benchmark; memory is not measured: that takes processes of its own."""

    def load(name):
        program = load_tool(f'benchmarks/{name}')

        def peak_memory(build, device, side, *args):
            return 0, PEAKS[next(arg for arg in (side, *args) if arg in PEAKS)]

        monkeypatch.setattr('measure.peak_memory', peak_memory)
        return program

    return load


def rows_in(text):
    """Read the rows that have figures of both sides: title to plain, ours and ratio."""
    rows = re.findall(r'^(\S.*?) +([\d.]+) +([\d.]+) +([\d.e+-]+)x$', text, re.M)
    return {title: tuple(map(float, figures)) for title, *figures in rows}


def test_peak_memory_counts_what_the_work_adds(load_tool):
    load_tool('benchmarks/benchmark_ranking')
    from measure import peak_memory

    # Large beside what the libraries take when they are first used, about 8 MB.
    whole, added = peak_memory(partial, 'cpu', torch.ones, 2**26)
    assert added == pytest.approx(2**28, rel=0.1)
    assert whole >= added


def test_views(run, load_tool):
    sizes = ['--image-size', 64, 32, '--global-size', 64, 32, '--local-size', 32, 16]
    text = run('benchmarks/benchmark_views', *sizes, '--batch-size', 4, '--rounds', 1)
    assert list(rows_in(text)) == ['worker part', 'whole view path on CPU']
    for plain, ours, ratio in rows_in(text).values():
        assert ratio == pytest.approx(ours / plain, rel=0.05)
    compare = load_tool('benchmarks/benchmark_views').compare_views
    plain = [torch.rand(9, 3, 8, 4)] * 2 + [torch.rand(9, 3, 4, 2)] * 3
    same = {'global_views': torch.cat(plain[:2]), 'local_views': torch.cat(plain[2:])}
    assert compare(plain, same) == 0
    assert compare(plain, same | {'local_views': 0.5 * same['local_views']}) > 6
    with pytest.raises(RuntimeError, match='sizes of views'):
        compare(plain[:-1], same)


def test_pretrain(tool, capsys, monkeypatch):
    program = tool('benchmark_pretrain')
    setting = program.Setting('cpu', 'float32', 1, arch='deit-tiny', prototypes=64)
    program.check_equality(setting)
    program.compare(setting, 'head', rounds=1)
    rows = rows_in(capsys.readouterr().out)
    title = 'head, loss, clipping, teacher'
    assert rows[f'{title}, peak MiB'] == (80, 20, 0.25)
    plain, ours, ratio = rows[f'{title}, ms']
    assert ratio == pytest.approx(plain / ours, abs=0.02)
    head_loss = program.PlainPASS.head_loss
    monkeypatch.setattr(program.PlainPASS, 'head_loss', lambda *args: 1.01 * head_loss(*args))
    with pytest.raises(RuntimeError, match=r'loss by 9\.9e-03'):
        program.check_equality(setting)


@pytest.mark.slow
@pytest.mark.parametrize('dtype', ['float32', 'bfloat16'])
def test_whole_steps_of_all_sides_run(tool, capsys, dtype):
    program = tool('benchmark_pretrain')
    setting = program.Setting('cpu', dtype, 1, arch='deit-tiny', prototypes=64)
    for side in ('plain', 'ours'):
        program.build_step(setting, side, 'step')()
    program.compare_masked(setting, rounds=1)
    rows = rows_in(capsys.readouterr().out)
    plain, masked, ratio = rows['PASS and with masks, whole step, ms']
    assert ratio == pytest.approx(masked / plain, abs=0.02)


@pytest.fixture
def ranked(tool):
    program = tool('benchmark_ranking')
    return program, program.Setting(40, 200, 12, others=4, cameras=4, dims=256, likeness=0.3)


def test_the_plain_re_ranking_is_the_definition(ranked):
    program, setting = ranked
    plain = program.build_work('plain', 're-ranking', setting)()
    query, gallery = setting.features()
    expected = literal_re_ranking(query.numpy(), gallery.numpy())
    np.testing.assert_allclose(plain, expected, rtol=0, atol=1e-6)
    # Products are exact, so that both sides see the same distances.
    exact = query.double() @ gallery.double().T
    assert (query @ gallery.T == exact.float()).all()


@pytest.mark.parametrize('part', ['evaluation', 're-ranking'])
def test_ranking(ranked, capsys, monkeypatch, part):
    program, setting = ranked
    program.compare(part, setting, rounds=1)
    rows = rows_in(capsys.readouterr().out)
    assert list(rows) == [f'{part} 40 x 200, s', f'{part} 40 x 200, peak MiB']
    assert rows[f'{part} 40 x 200, peak MiB'] == (80, 20, 0.25)
    right = program.WORKS['plain', part]

    def wrong(features, labels):
        outcome = right(features, labels)
        return outcome + np.float32(1e-5) if part == 're-ranking' else outcome | {'mINP': 2}

    monkeypatch.setitem(program.WORKS, ('plain', part), wrong)
    with pytest.raises(RuntimeError, match=f'{part} by'):
        program.compare(part, setting, rounds=1)


@pytest.mark.parametrize(('k1', 'k2'), [(30, 6), (7, 1)])
def test_the_plain_distances_are_the_definition(tool, k1, k2):
    plain = tool('benchmark_clustering').plain_ranking
    # Far enough from one another for an order without ties.
    generator = np.random.default_rng(0)
    features = people(0, 90, 9)[0] / np.float32(32) + generator.normal(0, 0.01, (90, 8))
    features = torch.from_numpy(features.astype(np.float32))
    found = plain.jaccard(features, plain.nearest(features, max(k1, k2))[:, :k1], k1, k2)
    np.testing.assert_allclose(found, literal_jaccard(features.numpy(), k1, k2), rtol=0, atol=1e-5)


def test_clustering(tool, capsys, monkeypatch):
    program = tool('benchmark_clustering')
    setting = 400, 32, 'exact'
    labels = program.report(program.measure.SIDES, 1, *setting)
    assert 0.5 * 400 / 17 < labels.max() < 400 / 17
    text = capsys.readouterr().out
    assert re.search(r'^400 images: \d+ clusters, \d+ outliers$', text, re.M)
    # Times so small that they are printed as 0 have no ratio.
    assert set(rows_in(text)) >= {'400 total, s', '400, peak MiB'}
    wrong = lambda features, search: (np.append(labels[:-1], 999), np.zeros(3))  # noqa: E731
    monkeypatch.setattr(program, 'cluster_plainly', wrong)
    with pytest.raises(RuntimeError, match='labels by'):
        program.report(program.measure.SIDES, 1, *setting)


def cells_in(text, header):
    """Read a table of words: first cell to the other cells."""
    lines = text.splitlines()
    start = next(n for n, line in enumerate(lines) if line.split()[:1] == [header])
    return [re.split(r' {2,}', line.strip()) for line in lines[start + 1 :] if line.strip()]


# Its import would close the log files of earlier runs.
@pytest.mark.skipif(find_spec('pymilvus') is None, reason='needs pymilvus')
def test_stores_of_a_gallery(run, load_tool, monkeypatch, tmp_path):
    program = load_tool('benchmarks/benchmark_serving')

    def peak_memory(build, device, *args):
        build(*args)()
        return 3 * 2**20, 0

    monkeypatch.setattr(program, 'peak_memory', peak_memory)
    kinds = ['local', 'milvus-FLAT']
    words = ['--number', 400, '--dims', 16, '--rounds', 1, '--batch', 150, '--folder', tmp_path]
    text = run('benchmarks/benchmark_serving', 'gallery', *words, '--stores', *kinds)
    numpy, *rows = cells_in(text, 'store')
    assert [row[0] for row in (numpy, *rows)] == ['numpy', *kinds]
    for row in rows:
        assert row[-2] == '1.000' and row[-1].endswith('x') and row[6] == '3'
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(program, 'search_plainly', lambda *_: np.zeros((500, 10), int))
    with pytest.raises(RuntimeError, match='local'):
        run('benchmarks/benchmark_serving', 'gallery', *words, '--stores', 'local')


@pytest.mark.slow
def test_ways_to_run_a_model(run, load_tool, small, monkeypatch):
    # The compiled graph, but run without a C++ compiler.
    monkeypatch.setattr(torch, 'compile', partial(torch.compile, backend='eager'))
    words = ['model', small.config, '--checkpoint', small.weights, '--rounds', 1, '--batch', 4]
    text = run('benchmarks/benchmark_serving', *words, '--threads', 1)
    files = load_tool('benchmarks/benchmark_serving').FILES
    rows = cells_in(text, 'latency,')
    assert [row[0] for row in rows] == ['torch', 'torch.compile', *files]
    assert all(float(row[4]) > 0.99 and row[5].endswith('x') for row in rows)


PRECISION = ['--device', 'cpu', '--height', 64, '--people', 3]


def exit_status(run, *arguments):
    with pytest.raises(SystemExit) as ending:
        run('benchmarks/check_precision', *arguments)
    return ending.value.code


@pytest.mark.slow
def test_types_keep_within_the_limits(run):
    assert exit_status(run, *PRECISION, '--dtypes', 'bfloat16') == 0


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_types_keep_within_the_limits_on_a_gpu(run):
    assert exit_status(run) == 0


def test_what_is_not_precise_is_an_error(run, load_tool, monkeypatch, capsys):
    exact = {f'gradient of layers.{n}': torch.ones(4) for n in range(2)} | {'loss': torch.ones(1)}
    found = exact | {'gradient of layers.1': torch.full((4,), torch.nan)}
    monkeypatch.setattr(
        load_tool('benchmarks/check_precision'),
        'compute',
        lambda task, args, dtype, scale=1.0: exact if dtype == torch.float32 else found,
    )
    assert exit_status(run, *PRECISION, '--tasks', 'USL') == 1
    text = capsys.readouterr().out
    (line,) = [line for line in text.splitlines() if line.endswith('!')]
    assert 'gradient of layers.1' in line and '1 limits exceeded' in text
    # u sqrt(16 L)
    assert f'{2**-8 * 32**0.5:.1e}' in line


def test_biases_of_keys_do_not_count(load_tool):
    program = load_tool('benchmarks/check_precision')
    model = torch.nn.ModuleDict({'head': torch.nn.ModuleDict({'qkv': torch.nn.Linear(1, 6)})})
    model.head.qkv.bias.grad = torch.tensor([1.0, 2, 3, torch.inf, 5, 6])
    assert program.gradients(model)['head'].tolist() == [1, 2, 5, 6]
