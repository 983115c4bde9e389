import torch

from engine.training.loss_window import LossWindow


def add(window, **losses):
    window.add({name: torch.tensor(float(value)) for name, value in losses.items()})


def test_a_loss_that_begins_or_ends_within_a_record_is_the_mean_of_its_own_steps():
    window = LossWindow()
    add(window, rebuilt=2, both=1)
    add(window, rebuilt=4, both=2)
    add(window, fused=9, both=6)
    assert window.means() == {"rebuilt": 3, "both": 3, "fused": 9}
    assert window.steps == 3


def test_a_window_goes_on_from_its_state():
    window = LossWindow()
    add(window, rebuilt=2)
    add(window, fused=5)
    again = LossWindow(**window.state())
    add(again, fused=7)
    assert again.means() == {"rebuilt": 2, "fused": 6}
    assert again.steps == 3


def test_a_state_that_was_saved_without_counts_had_every_loss_in_every_step():
    assert LossWindow({"one": torch.tensor(6.0)}, steps=3).means() == {"one": 2}
