#!/usr/bin/env bash
# Everything that only a GPU can show, in under eight minutes: `make gpu`, or `bash benchmarks/gpu.sh [cuda|cpu] [FOLDER]`.
#
# cpu runs the same stages in small, as a test of this script. Each stage has a time limit and writes its results into
# FOLDER (out/gpu) as it goes: a stage that fails or is cut off hides nothing of the others. Needed: this checkout, a
# Python with this project's dependencies, pytest 9.2 and lmdb (PYTHON=… names it). Nothing is downloaded.
set -uo pipefail
cd "$(dirname "$0")/.."
device=${1:-cuda}
folder=$(realpath -m "${2:-out/gpu}")
python=${PYTHON:-python3}
export PYTHONPATH=$PWD:$PWD/data_layers${PYTHONPATH:+:$PYTHONPATH} PYTHONUNBUFFERED=1 GLOG_minloglevel=2
export TORCHINDUCTOR_CACHE_DIR=$folder/inductor
mkdir -p "$folder"
started=$SECONDS failed=0

[ "$device" = cpu ] && slower=6 || slower=1

stage() {  # stage NAME SECONDS MODULE [ARGUMENTS]
  local name=$1 limit=$((slower * $2)) begin=$SECONDS
  shift 2
  echo "== $name (at $((SECONDS - started)) s)"
  timeout --kill-after=5 "$limit" "$python" -m "$@" 2>&1 | tee "$folder/$name.log" | tail -n 25
  local status=${PIPESTATUS[0]}
  echo "== $name: exit status $status, $((SECONDS - begin)) s"
  [ "$status" = 0 ] || failed=1
}

stage tests 90 benchmarks.on_gpu.tests "$device" "$folder"
stage prepare 60 benchmarks.prepare "$folder/work"
stage speed 130 benchmarks.on_gpu.speed "$device" "$folder" this eager
stage training 60 benchmarks.on_gpu.training "$device" "$folder"
stage sizes 40 benchmarks.on_gpu.sizes "$device" "$folder"
stage large 60 benchmarks.on_gpu.large "$device" "$folder"
stage streamed 60 benchmarks.on_gpu.streamed "$device" "$folder"
stage together 70 benchmarks.on_gpu.together "$device" "$folder"
[ "$device" = cpu ] || stage compiled 100 benchmarks.on_gpu.speed "$device" "$folder" compiled
stage report 30 benchmarks.on_gpu.report "$device" "$folder"
echo "== all stages: $((SECONDS - started)) s; results in $folder"
exit $failed
