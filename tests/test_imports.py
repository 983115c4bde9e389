"""Who may import whom: the table in CONTRIBUTING.md, kept."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
OURS = {"models", "data", "options", "util", "train", "test", "scripts", "tests"}
LEAVES = {
    "util.errors",
    "util.files",
    "util.safe_load",
    "util.direction",
    "util.suggest",
    "util.workers",
}  # these import nothing of the project but each other

# the longest prefix that fits decides; a rule lists which of our modules (by prefix) may be imported
RULES = {
    "util.errors": set(),
    "util.files": {"util.errors"},
    "util.suggest": set(),
    "util.direction": set(),
    "util.safe_load": {"util.errors"},
    "util.workers": {"util.errors"},
    "options": {"options", *LEAVES},
    "data": {"data", *LEAVES},
    "models": {"models", *LEAVES},
    "models.generators": {"models.generators.base", "models.layers", "models.weights", "models.choices", *LEAVES},
    "util.metrics": {"util.metrics", "util.direction"},
    "util.significance": set(),
    "util.ranking": {"util.significance", *LEAVES},
    "util.report": {"util.report", "util.ranking", "util.significance", *LEAVES},
    "util.launch": {"util.errors"},
    "util.failures": {"util.errors"},
    "util.runtime": {"util.launch", "util.failures", *LEAVES},
    "util.checkpoint": {*LEAVES},
    "util.loggers": {"util.loggers", "util.report", "data.image_io", *LEAVES},
    "util": {"util", "models.base_model", "models.generators.base", "data", "options", *LEAVES},
    "util.assembly": {"util", "models", "data", "options"},
    "util.fuse_set": {"util", "models", "data", "options"},
    "util.begin_training": {"util", "models", "data", "options"},
    "scripts": OURS,
    "train": OURS,
    "test": OURS,
}
ONLY_HERE = {
    "lightning_fabric": {"util.runtime"},
    "dominate": {"util.report"},
    "visdom": {"util.loggers.visdom_client"},
    "tensorboard": {"util.loggers.tensorboard"},
    "wandb": {"util.loggers.wandb"},
    "requests": {"util.loggers.visdom_client", "scripts"},
    "pooch": {"scripts"},
}
WITHOUT_TORCH = (
    *("options", "util.report", "util.ranking", "util.significance", "util.launch", "util.workers"),
    *("util.direction", "util.errors", "util.files", "util.suggest"),
)


def modules():
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        if parts[0] in OURS - {"tests"}:
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def imported(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
            assert all(alias.name != "*" for alias in node.names), f"{path}: star import"


def within(module, prefix):
    return module == prefix or module.startswith(prefix + ".")


@pytest.mark.parametrize(("module", "path"), [pytest.param(*found, id=found[0]) for found in modules()])
def test_a_module_imports_only_what_its_room_may(module, path):
    rule = max((prefix for prefix in RULES if within(module, prefix)), key=len)
    for name in imported(path):
        top = name.split(".")[0]
        if top in OURS:
            assert any(within(name, allowed) for allowed in RULES[rule]), f"{module} may not import {name}"
        for library, rooms in ONLY_HERE.items():
            assert top != library or any(within(module, room) for room in rooms), f"{module} may not import {library}"
        if any(within(module, room) for room in WITHOUT_TORCH):
            assert top not in ("torch", "torchvision", "kornia"), f"{module} must not import {name}"
