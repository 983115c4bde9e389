"""Docstrings have a runnable example per network, loss and metric family, and state the shapes of tensors."""

import ast
import doctest
import importlib
import re
from pathlib import Path

import pytest

from models.create import DISCRIMINATORS, GENERATORS
from util.metrics.catalogue import FAMILIES

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("models/generators", "models/discriminators", "models/layers", "models/losses", "util/metrics")

# (B, C, H, W), (B, 4 ngf, H/4, W/4), (B,): a first size and a comma.
SHAPE = re.compile(r"\(([A-Z]|\d+|heads)\b[^()]*,[^()]*\)")

NETWORKS = sorted({entry.target for table in (GENERATORS, DISCRIMINATORS) for entry in table.values()})
LOSSES = [f"models.losses.{path.stem}" for path in sorted((ROOT / "models/losses").glob("[a-z]*.py"))]
METRICS = sorted({metric.measure.__module__ for family in FAMILIES for metric in family})


def examples(thing):
    return [example for test in doctest.DocTestFinder().find(thing) for example in test.examples]


@pytest.mark.parametrize("target", NETWORKS)
def test_every_network_has_an_example(target):
    module, name = target.split(":")
    assert examples(getattr(importlib.import_module(module), name))


@pytest.mark.parametrize("module", [*LOSSES, *METRICS, "util.metrics.reference", "util.metrics.compute"])
def test_every_loss_and_family_of_metrics_has_an_example(module):
    assert examples(importlib.import_module(module))


def prose(node):
    """A docstring without its example, whose code would pass for a shape."""
    return (ast.get_docstring(node) or "").partition("Example:")[0]


def with_tensors(body, owner=""):
    """Yields the name and docstring of public functions that take or return tensors; of `forward` also its class's."""
    for node in body:
        if not isinstance(node, ast.ClassDef | ast.FunctionDef) or node.name.startswith("_"):
            continue
        if isinstance(node, ast.ClassDef):
            for name, text in with_tensors(node.body, f"{node.name}."):
                yield name, f"{text} {prose(node)}" if name.endswith(".forward") else text
            continue
        types = [ast.unparse(hint) for hint in (*(a.annotation for a in node.args.args), node.returns) if hint]
        # State dicts hold tensors of every shape.
        if any("Tensor" in hint and not re.search(r"(Mapping|dict)\[str, Tensor\]", hint) for hint in types):
            yield owner + node.name, prose(node)


@pytest.mark.parametrize("folder", FOLDERS)
def test_functions_of_tensors_state_shapes(folder):
    found = {
        f"{path.name}: {name}": bool(SHAPE.search(text))
        for path in sorted((ROOT / folder).glob("*.py"))
        for name, text in with_tensors(ast.parse(path.read_text(encoding="utf-8")).body)
    }
    assert len(found) > 1
    assert [name for name, stated in found.items() if not stated] == []
