#!/usr/bin/env bash
# The whole way of a picture on a fresh machine, in about ten minutes on two CPU cores:
# environment -> photographs and maps -> multi-focus pairs -> training -> fused pictures -> a page.
#   bash scripts/demo.sh [options for train.py, such as --n_epochs 200]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bash scripts/setup_env.sh
python=.venv/bin/python
data=datasets/demo
name=demo

echo "== 1. Photographs that ship inside scikit-image, with label maps"
"$python" scripts/make_demo_data.py --out "$data"

echo "== 2. Held-out pairs with a known sharp picture (published defocus: Gaussian of sigma 5.6)"
"$python" scripts/make_pmf.py --images "$data/test/images" --maps "$data/test/maps" --out "$data/pairs/test" \
    --kernel gaussian --sigma 5.6 5.6

echo "== 3. Training of a small R2GAN on pairs made on the fly (Ctrl-C stops it early and keeps what it has)"
"$python" train.py --config options/recipes/r2gan_demo.yaml --dataroot "$data" --val_dataroot "$data/pairs/test" \
    --overwrite "$@" --name "$name" || [[ $? -eq 130 ]]

echo "== 4. Fusing the held-out pairs"
"$python" test.py --dataroot "$data/pairs" --with_target --name "$name"

"$python" scripts/demo_summary.py "results/$name/test_latest"
