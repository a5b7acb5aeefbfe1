#!/bin/bash
# A sweep as an array of Slurm jobs, without Dask: copy this file and edit it.
#
#   nnpotential sweep SWEEP.toml --output runs/sweep --dry-run    # shows the points, from 0 on
#   sbatch --array=0-11 slurm_array.sh SWEEP.toml runs/sweep      # maps them
#   nnpotential sweep runs/sweep --status                         # shows how far they are
#   nnpotential sweep SWEEP.toml --output runs/sweep              # writes table and page
#
# The directory must be on a disk that all nodes share. A job that is killed, or requeued at
# its time limit, goes on where it was when it is submitted again; finished points end at once.

#SBATCH --job-name=sweep
#SBATCH --cpus-per-task=1
#SBATCH --mem=2G
#SBATCH --time=24:00:00
#SBATCH --output=sweep-%A_%a.log

set -euo pipefail
definition=${1:?the definition, SWEEP.toml}
directory=${2:?the directory of the sweep}

# Slurm numbers arrays up to MaxArraySize, often 1000: a third argument is added to the number,
# as in  sbatch --array=0-999 slurm_array.sh SWEEP.toml runs/sweep 1000
point=$((SLURM_ARRAY_TASK_ID + ${3:-0}))

# stop a little before the time limit, so that the landscape is closed in order
exec nnpotential sweep "$definition" --output "$directory" --point "$point" --workers 1 \
    --max-seconds $((24 * 3600 - 600))
