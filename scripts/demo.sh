#!/usr/bin/env bash
# The whole way of an image on a fresh machine, in about ten minutes on two CPU cores:
# environment -> photographs and maps -> multi-focus pairs -> the same fused with the general network, which ships ->
# training -> fused images -> a page, for two networks.
#   bash scripts/demo.sh [options for the R2GAN's train.py, such as --n_epochs 200]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bash scripts/setup_env.sh
python=.venv/bin/python
data=datasets/demo

echo "== 1. Photographs that ship inside scikit-image, with label maps"
"$python" scripts/make_demo_data.py --out "$data"

echo "== 2. Held-out pairs with a known sharp image (published defocus: Gaussian of sigma 5.6)"
"$python" scripts/make_pmf.py --images "$data/test/images" --maps "$data/test/maps" --out "$data/pairs/test" \
    --kernel gaussian --sigma 5.6 5.6

echo "== 3. The held-out pairs fused with the general network, which ships with its weights (seconds)"
"$python" test.py --dataroot "$data/pairs" --with_target
"$python" scripts/demo_summary.py results/general/test_latest

train_and_fuse() {  # recipe, name of the run, options for train.py
    "$python" train.py --config "options/recipes/$1" --dataroot "$data" --val_dataroot "$data/pairs/test" \
        --overwrite "${@:3}" --name "$2" || [[ $? -eq 130 ]]
    "$python" test.py --dataroot "$data/pairs" --with_target --name "$2"
}

echo
echo "== 4. A small IFCNN on pairs made on the fly, and the held-out pairs fused with it (about two minutes)"
train_and_fuse ifcnn_demo.yaml demo_ifcnn
"$python" scripts/demo_summary.py results/demo_ifcnn/test_latest

echo
echo "== 5. A small R2GAN in the same way (about five minutes; Ctrl-C stops it early and keeps what it has)"
train_and_fuse r2gan_demo.yaml demo "$@"
"$python" scripts/demo_summary.py results/demo/test_latest
