"""Initial weights as in the pix2pix family."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import init
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from options.training import INIT_TYPES
from util.suggest import check_choice

NORM_DEVIATION = 0.02


def init_weights(net: nn.Module, init_type: str = "normal", gain: float = 0.02) -> None:
    """Redraws the weights of a network, from torch's global generator and in the order of `net.modules()`.

    Weights of convolutions and linear layers follow `init_type`, batch norm's scale is N(1, 0.02), every bias is 0.
    Layers that several names share are drawn once.

    Args:
        net: the network, changed in place.
        init_type: "normal", N(0, gain); "xavier" (Glorot and Bengio 2010) and "orthogonal" (Saxe et al. 2014), times
            gain; "kaiming" (He et al. 2015), for which gain has no meaning.
        gain: standard deviation or factor of the convolutions. In the family it is that of batch norm's scale, too:
            the same at the usual 0.02, but a gain of 1 would give channels a negative scale.

    Raises:
        UserError: an unknown `init_type`.

    Example:
        >>> net = nn.Conv2d(3, 3, 1)
        >>> init_weights(net, "orthogonal", gain=1)
        >>> weight = net.weight[:, :, 0, 0]
        >>> (weight @ weight.T).abs().round(decimals=4).trace().item(), net.bias.tolist()
        (3.0, [0.0, 0.0, 0.0])
    """
    check_choice("init_type", init_type, INIT_TYPES)
    draw: dict[str, Callable[[Tensor], Tensor]] = {
        "normal": lambda weight: init.normal_(weight, 0.0, gain),
        "xavier": lambda weight: init.xavier_normal_(weight, gain),
        "kaiming": lambda weight: init.kaiming_normal_(weight, a=0.0, mode="fan_in"),
        "orthogonal": lambda weight: init.orthogonal_(weight, gain),
    }
    for module in net.modules():
        if isinstance(module, _ConvNd | nn.Linear):
            draw[init_type](module.weight)
        elif isinstance(module, _BatchNorm) and module.affine:
            init.normal_(module.weight, 1.0, NORM_DEVIATION)
        else:
            continue
        if module.bias is not None:
            init.zeros_(module.bias)
