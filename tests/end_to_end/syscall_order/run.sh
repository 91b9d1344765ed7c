#!/usr/bin/env bash
# Shows, call by call, that nothing leaves before the record it needs is synced: traces a live
# switch with strace and fails where strace is missing. bash tests/end_to_end/syscall_order/run.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
command -v strace >/dev/null || { echo "strace is not installed (apt-get install strace)"; exit 1; }
POINTSMAN_STRACE=required exec cargo test --features faults --test end_to_end syscall_order -- --nocapture
