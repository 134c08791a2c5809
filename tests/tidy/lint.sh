#!/bin/sh
# clang-tidy over every C file that the build compiles: lint.sh ROOT BUILD
set -eu
# Other versions know other checks: Debian 12's is the measure.
case $(clang-tidy --version 2>/dev/null) in
*"version 14."*) ;;
*) echo "needs clang-tidy 14"; exit 77 ;;
esac
cd "$1"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
/usr/bin/python3 - "$2" <<'PYTHON' | xargs -0 -n 1 -P "$(nproc)" clang-tidy -quiet -p "$2" >"$log" 2>&1 || status=$?
import json, os, sys
names = {os.path.realpath(os.path.join(c["directory"], c["file"]))
         for c in json.load(open(os.path.join(sys.argv[1], "compile_commands.json")))}
sys.stdout.write("\0".join(sorted(names)))
PYTHON
if [ "${status:-0}" -ne 0 ]; then
    grep -vE '^[0-9]+ warnings? (generated|treated)|^Suppressed|^Use -header-filter' "$log" || true
    exit 1
fi
