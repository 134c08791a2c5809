#!/bin/sh
# Every C file is as clang-format writes it: format.sh ROOT
set -eu
# Other versions write other forms: Debian 12's is the measure.
case $(clang-format --version 2>/dev/null) in
*"version 14."*) ;;
*) echo "needs clang-format 14"; exit 77 ;;
esac
cd "$1"
find . \( -path './build*' -o -path './.git' \) -prune -o -name '*.[ch]' -print0 |
    xargs -0 clang-format --dry-run -Werror
