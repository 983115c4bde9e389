from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

from models import create, create_discriminator, create_generator, list_discriminators, list_generators, list_models
from models.discriminators.base import Discriminator
from models.generators.base import Generator
from util.errors import UserError


def test_names():
    networks = ["BlendNet", "R2GAN_generator", "GSGIF_generator", "IFCNN", "SMFNet", "DeFusion", "DeFusionPlus"]
    networks += ["resnet_9blocks", "resnet_6blocks", "unet_256", "unet_128"]
    networks += ["average", "maximum", "laplacian", "atrous", "guided_filter"]
    assert list_generators() == networks
    assert list_discriminators() == ["pixel", "basic", "n_layers"]
    assert {"pix2pix", "ifcnn"} <= set(list_models())


def test_tables_name_classes_and_fixed_arguments_that_exist():
    for table, base in ((create.GENERATORS, Generator), (create.DISCRIMINATORS, Discriminator)):
        for entry in table.values():
            cls = entry.load()
            assert issubclass(cls, base)
            assert set(entry.fixed) <= set(inspect.signature(cls).parameters)
    with pytest.raises(TypeError):
        create.GENERATORS["mine"] = create.GENERATORS["IFCNN"]


@pytest.mark.parametrize(
    ("create", "name", "options", "message"),
    [
        (create_generator, "R2GAN", {}, "generator 'R2GAN' is not one of: .*did you mean R2GAN_generator"),
        (create_generator, "unet256", {}, "did you mean unet_256"),
        (create_generator, "R2GAN_generator", {"n_block": 6}, "option of R2GAN_generator 'n_block'.*mean n_blocks"),
        (create_generator, "resnet_9blocks", {"n_blocks": 6}, "resnet_9blocks is built with n_blocks=9"),
        (create_generator, "resnet_9blocks", {"norm": "bacth"}, "norm 'bacth'.*did you mean batch"),
        (create_generator, "R2GAN_generator", {"decoders": "share"}, "decoders 'share'.*did you mean shared"),
        (create_generator, "R2GAN_generator", {"num_sources": 0}, "num_sources 0"),
        (create_generator, "GSGIF_generator", {"fusion": "sum"}, "fusion 'sum' is not one of: mean, max, saliency"),
        (create_generator, "GSGIF_generator", {"skips": "feature"}, "skips 'feature'.*did you mean features"),
        (create_generator, "GSGIF_generator", {"skips": "residual", "output_nc": 1}, "input_nc 3 and output_nc 1"),
        (create_generator, "IFCNN", {"fusion": "mx"}, "fusion 'mx'.*did you mean max"),
        (create_generator, "IFCNN", {"ifcnn_norm": "image"}, "ifcnn_norm 'image' is not one of: auto, imagenet, none"),
        (create_generator, "SMFNet", {"stretch": "min"}, "stretch 'min' is not one of: none, minmax"),
        (create_generator, "DeFusion", {"depth": "test"}, "depth 'test' is not one of: tester, trainer"),
        (create_generator, "DeFusion", {"common_head": "its"}, "common_head 'its' is not one of: own, unique"),
        (create_discriminator, "pixels", {}, "discriminator 'pixels'.*did you mean pixel"),
        (create_discriminator, "basic", {"n_layers": 4}, "option of basic 'n_layers' is not one of"),
        (create_discriminator, "pixel", {"ngf": 4}, "option of pixel 'ngf'.*did you mean ndf"),
        (create.get_model_class, "pix2pics", {}, "model 'pix2pics'.*did you mean pix2pix"),
    ],
)
def test_a_wrong_word_is_answered_with_the_near_ones(create, name, options, message):
    with pytest.raises(UserError, match=message) as caught:
        create(name, **options)
    assert "\n" not in str(caught.value)


def test_importing_the_package_imports_no_network():
    code = "import sys, models; print(*sorted(n for n in sys.modules if n.startswith(('models.', 'torch'))))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["models.create"]
