"""What a training's failure means, for those that torch reports as errors of its own."""

from __future__ import annotations

import torch

from util.errors import FailedError, LostContactError, UserError

# How gloo and NCCL say that another process is gone.
_LOST = ("Connection closed by peer", "Connection reset by peer", "Broken pipe", "NCCL", "Gloo", "gloo", "Socket")
RESUME = "what was saved is kept: --continue_train resumes from there"


def explain(error: Exception, processes: int) -> Exception:
    """Returns an error whose message says in one line what happened, or the same error where nothing is known of it.

    Args:
        error: what ended the training.
        processes: how many processes the job has.
    """
    text = str(error).split("\n", maxsplit=1)[0]
    if isinstance(error, torch.OutOfMemoryError):
        return UserError(
            "the GPU has no memory left: a smaller --batch_size or --crop_size, --accumulate 2 or --precision bf16 "
            "needs less"
        )
    if isinstance(error, RuntimeError) and "DataLoader worker" in text:
        return FailedError(
            f"a process that loads data ended ({text}), perhaps because memory ran out: fewer --num_threads need less; "
            f"{RESUME}"
        )
    if isinstance(error, RuntimeError) and processes > 1 and any(mark in text for mark in _LOST):
        return LostContactError(f"another process of this training failed; {RESUME}")
    return error
