import numpy as np
import pytest
import torch

from data.loader import create_loader
from data.sampler import EpochSampler
from data.transforms import JointTransform
from tests.data.helpers import block_map, make_dataset, save
from util.errors import UserError


def test_sampler_order():
    sampler = EpochSampler(10, 1, seed=5)
    first = list(sampler)
    assert sorted(key.item for key in first) == list(range(10))
    assert {key.epoch for key in first} == {0}
    assert [key.item for key in first] == np.random.default_rng([5, 0]).permutation(10).tolist()
    assert list(sampler) == first
    sampler.set_epoch(1)
    assert [key.item for key in sampler] != [key.item for key in first]
    assert [key.item for key in EpochSampler(10, 1, seed=6)] != [key.item for key in first]


@pytest.mark.parametrize("start", [0, 1, 7, 10])
def test_sampler_goes_on_within_an_epoch(start):
    whole, rest = EpochSampler(10, 1, seed=5), EpochSampler(10, 1, seed=5)
    whole.set_epoch(3)
    rest.set_epoch(3, start)
    assert list(rest) == list(whole)[start:]
    assert len(rest) == 10 - start


def test_sampler_serial():
    sampler = EpochSampler(3, 1, shuffle=False)
    sampler.set_epoch(2)
    assert list(sampler) == [(2, 0, 0), (2, 1, 1), (2, 2, 2)]
    with pytest.raises(ValueError, match="start 5"):
        sampler.set_epoch(0, 5)


@pytest.mark.parametrize("start", [0, 4])
def test_processes_share_each_batch(start):
    """Together two processes with batches of 2 see the batches of 4 that one process sees, and no more."""
    one = EpochSampler(11, 4, seed=1)
    two = [EpochSampler(11, 4, seed=1, rank=rank, world_size=2) for rank in (0, 1)]
    for sampler in (one, *two):
        sampler.set_epoch(2, start)
    order, parts = list(one), [list(sampler) for sampler in two]
    assert len(order) == len(one) == 8 - start
    assert len(parts[0]) == len(parts[1]) == len(two[0]) == len(order) // 2
    for batch in range(len(order) // 4):
        shared = parts[0][2 * batch : 2 * batch + 2] + parts[1][2 * batch : 2 * batch + 2]
        assert sorted(shared) == sorted(order[4 * batch : 4 * batch + 4])
        assert {key.batch for key in shared} == {start // 4 + batch}


def test_a_batch_has_one_number_even_where_an_epoch_goes_on_in_the_middle_of_one():
    """As it does when --batch_size was changed."""
    sampler = EpochSampler(20, 4, seed=1)
    sampler.set_epoch(0, 6)
    assert [key.batch for key in sampler] == [1] * 4 + [2] * 4 + [3] * 4


def batches(loader):
    return [(batch["name"], batch["sources"], batch["target"]) for batch in loader]


@pytest.fixture
def dataset(pmf_root):
    return make_dataset("pmf", root=pmf_root, phase="train", transform=JointTransform(crop_size=24))


def test_batches_do_not_depend_on_the_number_of_workers(dataset):
    results = []
    for num_threads in (0, 2):
        sampler = EpochSampler(len(dataset), 1, seed=7)
        loader = create_loader(dataset, batch_size=3, sampler=sampler, num_threads=num_threads)
        assert len(loader) == 2
        found = []
        for epoch, start in ((0, 0), (1, 0), (1, 3)):
            sampler.set_epoch(epoch, start)
            found += batches(loader)
        results.append(found)
    assert [len(names) for names, _, _ in results[0]] == [3, 1, 3, 1, 1]
    assert results[0][0][1].shape == (3, 2, 3, 24, 24)
    assert results[0][0][2].shape == (3, 3, 24, 24)
    for one, two in zip(*results, strict=True):
        assert one[0] == two[0]
        assert torch.equal(one[1], two[1])
        assert torch.equal(one[2], two[2])
    assert torch.equal(results[0][3][1], results[0][4][1])  # taken up after three samples of epoch 1


def test_without_a_sampler_all_samples_come_in_their_order(dataset):
    names = [batch["name"] for batch in create_loader(dataset, batch_size=3)]
    assert names == [["img1", "img2", "img9"], ["img10"]]


@pytest.mark.parametrize("num_threads", [0, 2])
def test_loading_leaves_the_training_s_random_state_alone(dataset, num_threads):
    before = torch.get_rng_state()
    batches(create_loader(dataset, batch_size=2, num_threads=num_threads))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("num_threads", [0, 2])
def test_an_error_in_a_worker_is_one_line(dataset, pmf_root, num_threads):
    (pmf_root / "images" / "img9.png").write_bytes(b"")
    loader = create_loader(dataset, batch_size=1, num_threads=num_threads)
    names = []
    with pytest.raises(UserError) as caught:
        for batch in loader:
            names += batch["name"]
    assert str(caught.value) == f"cannot read {pmf_root / 'images' / 'img9.png'}: the file is empty"
    assert names == ["img1", "img2"]


@pytest.mark.parametrize("num_threads", [0, 2])
def test_unequal_sizes_in_a_batch(pmf_root, astronaut, num_threads):
    save(pmf_root / "images" / "img2.png", astronaut[:50, :70])
    save(pmf_root / "maps" / "img2.png", block_map(50, 70).astype(np.uint8))
    dataset = make_dataset("pmf", root=pmf_root, phase="test")
    with pytest.raises(UserError, match=r"samples img1 \(80x60\) and img2 \(70x50\) .* --batch_size 1"):
        next(iter(create_loader(dataset, batch_size=2, num_threads=num_threads)))
    shapes = [tuple(batch["target"].shape) for batch in create_loader(dataset, batch_size=1)]
    assert shapes == [(1, 3, 60, 80), (1, 3, 50, 70), (1, 3, 60, 80), (1, 3, 60, 80)]
