#!/usr/bin/env bash
# Makes the project's own Python environment in .venv (or updates it when the requirements changed).
#   bash scripts/setup_env.sh [requirements.txt]
# PYTHON names the interpreter to build it from (3.11 or newer); default: the newest python3 on the PATH.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
requirements="${1:-requirements.txt}"

find_python() {
    local candidate
    for candidate in ${PYTHON:-python3.12 python3.11 python3.13 python3 python}; do
        if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    echo "setup_env.sh: no Python 3.11 or newer with the venv module was found;" \
         "install one (Debian/Ubuntu: apt install python3 python3-venv) or set PYTHON=/path/to/python" >&2
    return 2
}

wanted="$(cat requirements.txt "$requirements" constraints.txt | sha256sum | cut -d' ' -f1)"
stamp=".venv/.installed-$(basename "$requirements")"
if [[ -x .venv/bin/python && "$(cat "$stamp" 2>/dev/null)" == "$wanted" ]]; then
    exit 0
fi
python="$(find_python)"
[[ -x .venv/bin/python ]] || "$python" -m venv .venv
echo "Installing $requirements into .venv (once; torch alone is some gigabytes) ..."
export PIP_CONSTRAINT="$PWD/constraints.txt" PIP_BUILD_CONSTRAINT="$PWD/constraints.txt" PIP_DISABLE_PIP_VERSION_CHECK=1
.venv/bin/python -m pip install --quiet --progress-bar off -r "$requirements"
echo "$wanted" > "$stamp"
