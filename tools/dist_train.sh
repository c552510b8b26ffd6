#!/usr/bin/env bash
# Train on several GPUs, or without any on as many processes of the CPU.
# Usage: bash tools/dist_train.sh CONFIG GPUS [options of tools/train.py]
# On several machines run it on each, with NNODES, NODE_RANK, MASTER_ADDR and PORT set.
set -euo pipefail

if [ $# -lt 2 ]; then
    sed -n '2,4s/^# //p' "$0" >&2
    exit 2
fi
exec bash "$(dirname "$0")/dist_run.sh" train "$2" "$1" --launcher pytorch "${@:3}"
