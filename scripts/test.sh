#!/usr/bin/env bash
# Everything that must hold, on a fresh machine: environment, ruff, mypy, the whole suite.
#   bash scripts/test.sh [arguments for pytest]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bash scripts/setup_env.sh requirements-dev.txt
python=.venv/bin/python
"$python" -m ruff check .
"$python" -m ruff format --check .
"$python" -m mypy
# One process per core, one torch thread in each: many small tests, no thread fighting another.
OMP_NUM_THREADS=1 "$python" -m pytest -n auto --dist loadgroup "$@"
