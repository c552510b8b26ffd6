#!/usr/bin/env bash
# Start a program of tools/ through the job scheduler Slurm; for slurm_train.sh and slurm_test.sh.
# Usage: bash tools/slurm_run.sh PROGRAM PARTITION JOB_NAME [arguments of tools/PROGRAM.py]
set -euo pipefail

PROGRAM=$1
PARTITION=$2
JOB_NAME=$3
shift 3

GPUS=${GPUS:-8}
GPUS_PER_NODE=${GPUS_PER_NODE:-$((GPUS < 8 ? GPUS : 8))}
CPUS_PER_TASK=${CPUS_PER_TASK:-5}

# SRUN_ARGS is split on purpose: it holds several options.
# shellcheck disable=SC2086
exec srun --partition="$PARTITION" \
    --job-name="$JOB_NAME" \
    --gres="gpu:$GPUS_PER_NODE" \
    --ntasks="$GPUS" \
    --ntasks-per-node="$GPUS_PER_NODE" \
    --cpus-per-task="$CPUS_PER_TASK" \
    --kill-on-bad-exit=1 \
    ${SRUN_ARGS:-} \
    python -u "$(dirname "$0")/$PROGRAM.py" "$@"
