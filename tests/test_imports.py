"""Who may import whom: the floors of the house that CONTRIBUTING.md draws, kept."""

import ast
import sys
from collections import Counter
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# A module imports from its own floor and from those before it.
FLOORS = (("util",), ("options",), ("data",), ("models",), ("engine",), ("scripts", "train", "test", "hubconf"))
FLOOR_OF = {folder: number for number, floor in enumerate(FLOORS) for folder in floor}

LEAVES = {f"util.{name}" for name in ("errors", "files", "journal", "suggest", "workers", "safe_load")}

# Rooms that keep to themselves more than their floor asks for; the longest prefix that fits decides.
ROOMS = {
    **{leaf: {"util.errors"} for leaf in LEAVES},
    "util.journal": {"util.errors", "util.files"},
    "util.statistics": {"util.statistics", *LEAVES},
    "util.metrics": {"util.metrics", "util.statistics.direction"},
    "util.metrics.measuring": {"util.metrics", "util.images", *LEAVES},
    "util.metrics.tables": {"util.metrics", "util.statistics.summary", *LEAVES},
    "util.images": {"util.images", *LEAVES},
    "util.report": {"util.report", "util.statistics", *LEAVES},
    "util.loggers": {"util.loggers", "util.report", "util.images", *LEAVES},
    "models.generators": {
        *("models.generators.base", "models.generators.decomposing", "models.layers", "models.weights"),
        *("options.networks", "util.images.levels", *LEAVES),
    },
    "engine.launch": {"util.errors"},
}
ONLY_HERE = {
    "lightning_fabric": {"engine.runtime"},
    "dominate": {"util.report"},
    "visdom": {"util.loggers.visdom_client"},
    "tensorboard": {"util.loggers.tensorboard"},
    "wandb": {"util.loggers.wandb"},
    "requests": {"util.loggers.visdom_client", "scripts"},
    "pooch": {"scripts"},
}
WITHOUT_TORCH = (
    *("options", "util.report", "util.statistics", "engine.launch"),
    *("util.errors", "util.files", "util.journal", "util.suggest", "util.workers"),
)


def modules():
    """All modules of the project: name → path."""
    paths = [path for folder in FLOOR_OF for path in [ROOT / f"{folder}.py", *sorted((ROOT / folder).rglob("*.py"))]]
    parts = {path: path.relative_to(ROOT).with_suffix("").parts for path in paths if path.is_file()}
    return {".".join(names[:-1] if names[-1] == "__init__" else names): path for path, names in parts.items()}


def imported(path):
    """Everything that a module imports, `from a import b` as a.b."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
            assert all(alias.name != "*" for alias in node.names), f"{path}: star import"


def within(module, prefix):
    return module == prefix or module.startswith(prefix + ".")


MODULES = modules()


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_what_its_room_may(module):
    room = max((prefix for prefix in ROOMS if within(module, prefix)), key=len, default=None)
    for name in imported(MODULES[module]):
        top = name.split(".")[0]
        if top in FLOOR_OF:
            assert FLOOR_OF[top] <= FLOOR_OF[module.split(".")[0]], f"{module} must not look up to {name}"
            allowed = ROOMS.get(room, {top})
            assert any(within(name, prefix) for prefix in allowed), f"{module} may not import {name}"
        for library, rooms in ONLY_HERE.items():
            assert top != library or any(within(module, prefix) for prefix in rooms), f"{module} imports {library}"
        if any(within(module, prefix) for prefix in WITHOUT_TORCH):
            assert top not in ("torch", "torchvision", "kornia"), f"{module} must not import {name}"


def test_there_is_no_circle_and_no_arrow_up():
    ours, arrows = {}, Counter()
    for module, path in MODULES.items():
        ours[module] = set()
        for name in imported(path):
            target = name if name in MODULES else name.rpartition(".")[0]
            if target in MODULES and target != module:
                ours[module].add(target)
                arrows[module.split(".")[0], target.split(".")[0]] += 1
    TopologicalSorter(ours).prepare()  # raises on a circle
    floors = list(FLOOR_OF)
    table = [f"{'imports from':>14}" + "".join(f"{folder:>9}" for folder in floors)]
    table += [f"{folder:>14}" + "".join(f"{arrows[folder, other] or '':>9}" for other in floors) for folder in floors]
    sys.stdout.write("\n" + "\n".join(table) + "\n")
    assert not [pair for pair in arrows if FLOOR_OF[pair[1]] > FLOOR_OF[pair[0]]]
