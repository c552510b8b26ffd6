#!/usr/bin/env bash
# Start a program of tools/ in several processes; for dist_train.sh and dist_test.sh.
# Usage: bash tools/dist_run.sh PROGRAM GPUS [arguments of tools/PROGRAM.py]
set -euo pipefail

PROGRAM=$1
GPUS=$2
shift 2

# Threads of each process: its share of the processors.
CORES=$(nproc)
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-$((CORES > GPUS ? CORES / GPUS : 1))}
export MKL_NUM_THREADS=${MKL_NUM_THREADS:-$OMP_NUM_THREADS}

PORT=${PORT:-${MASTER_PORT:-}}
if [ "${NNODES:-1}" = 1 ] && [ -z "$PORT" ]; then
    # Any free port, so that runs do not get into each other's way.
    MEETING=(--standalone --local_addr=127.0.0.1)
else
    MEETING=(
        --nnodes="${NNODES:-1}"
        --node_rank="${NODE_RANK:-0}"
        --master_addr="${MASTER_ADDR:-127.0.0.1}"
        --master_port="${PORT:-29500}"
    )
fi

exec python -m torch.distributed.run "${MEETING[@]}" \
    --nproc_per_node="$GPUS" \
    "$(dirname "$0")/$PROGRAM.py" "$@"
