#!/usr/bin/env bash
# Test on several GPUs, or without any on as many processes of the CPU.
# Usage: bash tools/dist_test.sh CONFIG CHECKPOINT GPUS [options of tools/test.py]
# On several machines run it on each, with NNODES, NODE_RANK, MASTER_ADDR and PORT set.
set -euo pipefail

if [ $# -lt 3 ]; then
    sed -n '2,4s/^# //p' "$0" >&2
    exit 2
fi
exec bash "$(dirname "$0")/dist_run.sh" test "$3" "$1" "$2" --launcher pytorch "${@:4}"
