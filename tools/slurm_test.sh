#!/usr/bin/env bash
# Test through the job scheduler Slurm.
# Usage: [GPUS=8] [GPUS_PER_NODE=8] [CPUS_PER_TASK=5] [SRUN_ARGS="--time=24:00:00"] \
#        bash tools/slurm_test.sh PARTITION JOB_NAME CONFIG CHECKPOINT [options of tools/test.py]
set -euo pipefail

if [ $# -lt 4 ]; then
    sed -n '2,4s/^# //p' "$0" >&2
    exit 2
fi
exec bash "$(dirname "$0")/slurm_run.sh" test "$1" "$2" "$3" "$4" --launcher slurm "${@:5}"
