#!/bin/bash
# A search by a Slurm job array: each job takes one machine with four GPUs and joins the study.
#
#   export STORAGE=postgresql+psycopg2://USER:PASSWORD@HOST/DATABASE
#   sbatch --array=0-7 examples/cluster/slurm_array.sh
#
# A job that is preempted comes back and joins again. The array ends when the study has its trials.
#SBATCH --job-name=graphnas
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --gpus-per-node=4
#SBATCH --cpus-per-task=32
#SBATCH --time=24:00:00
#SBATCH --requeue
#SBATCH --signal=B:TERM@120
#SBATCH --output=graphnas-%A_%a.log
set -eu
: "${STORAGE:?is not set: the URL of a database that all machines reach}"

# "exec", so that Slurm's signal, two minutes before the end, reaches the command itself.
exec graphnas search --space "${SPACE:-nasbench201}" --dataset "${DATASET:-cifar10}" --evaluator train \
    --method graphbo --trials "${TRIALS:-200}" --storage "$STORAGE" \
    --output "${OUTPUT:-runs/slurm}/${SLURM_ARRAY_TASK_ID:-0}" --workers "${WORKERS:-4}"
