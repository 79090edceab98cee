#!/usr/bin/env bash
# Train on a cluster with Slurm, a process for each GPU. In a folder that all nodes share, with an
# environment activated that has mobile-segmentation and JAX:
#   sbatch --nodes=2 deploy/slurm.sh --img_file data/images-128.npy -o artifacts/hair.keras
# The arguments are those of train_full; TRAIN="python train_transfer.py" runs another command. For
# nodes with other than four GPUs, say --ntasks-per-node=N --gpus-per-node=N before the file's name;
# your cluster may also want --partition and --account.
#
# Whatever ends a worker, a lost node or the time limit, all workers are started again and continue
# from the last checkpoint, at most RESTARTS times (10). Mistakes in the arguments or in the data end
# the job.
#SBATCH --job-name=train
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=4
#SBATCH --gpus-per-node=4
#SBATCH --gpu-bind=none
#SBATCH --cpus-per-task=8
#SBATCH --time=08:00:00
#SBATCH --requeue
#SBATCH --signal=B:USR1@120
#SBATCH --open-mode=append
#SBATCH --output=%x-%j.log
set -u

TRY_AGAIN=75 # a worker's status when it has lost another one
OWN_FAULT=100 # added to the statuses 1 and 2, so that srun, which reports the highest, reports them

export KERAS_BACKEND=jax # Keras trains on several hosts with JAX alone
export TF_FORCE_GPU_ALLOW_GROWTH=true # TensorFlow, which writes the logs, leaves memory to JAX
export TRAIN=${TRAIN:-mobile-segmentation train_full} OWN_FAULT

# Start all workers again, in this job, and end; $1 says why, $2 is the status if that fails.
again() {
    if ((${SLURM_RESTART_COUNT:-0} >= ${RESTARTS:-10})); then
        echo "$1, after ${SLURM_RESTART_COUNT} restarts: giving up" >&2
        exit "$2"
    fi
    echo "$1: all workers start again, from the last checkpoint" >&2
    scontrol requeue "$SLURM_JOB_ID" && exit 0
    exit "$2"
}
trap 'again "the time is nearly up" $TRY_AGAIN' USR1

# Not killed by a worker that ends: within seconds the others notice it, and end by themselves.
# In the background, as bash handles no signal while it waits for what is in front.
# shellcheck disable=SC2016 # the workers expand it
srun --kill-on-bad-exit=0 bash -c '
    $TRAIN "$@" --resume
    status=$?
    case $status in 1 | 2) exit $((status + OWN_FAULT)) ;; esac
    exit $status
' train "$@" &
wait $!
status=$?

if ((status == TRY_AGAIN || status > 128)); then
    again "a worker ended (status $status)" "$status"
elif ((status > OWN_FAULT)); then
    exit $((status - OWN_FAULT))
fi
exit "$status"
