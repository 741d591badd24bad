#!/usr/bin/env bash
# Starts a one-node Slurm, runs a benchmark on it, checks the records, and stops it.
#
#   tests/cluster/run_on_slurm.sh [configuration ...]      default: configs/cluster.yaml
#
# SLURM_LOCAL   the script that starts and stops a local Slurm (default: ../shared/slurm_local.sh)
# Where Slurm cannot be started, says so and ends with status 77.
set -euo pipefail
cd "$(dirname "$0")/../.."
slurm=${SLURM_LOCAL:-../shared/slurm_local.sh}
configs=("$@")
[ ${#configs[@]} -gt 0 ] || configs=(configs/cluster.yaml)
export PATH="$PWD/.venv/bin:$PATH"

if [ ! -f "$slurm" ] || ! bash "$slurm" start --gpus 2 --cpus 4; then
  echo "Slurm cannot be started here (SLURM_LOCAL=$slurm): nothing was tested"
  exit 77
fi
trap 'bash "$slurm" stop' EXIT

# TERM would leave jobs behind; INT cancels them.
timeout -s INT -k 60 "${SLURM_TEST_SECONDS:-3000}" \
  snakemake --profile workflow/profiles/slurm --configfile "${configs[@]}"

results=results/$(python -c "
import sys; from pathlib import Path
from blindfold.core.config import read_config
print(read_config([Path('config.yaml'), *map(Path, sys.argv[1:])]).name)" "${configs[@]}")
python tests/cluster/check_leases.py "$results"
