#!/bin/sh
# Every C file is as clang-format writes it: format.sh ROOT
set -eu
command -v clang-format >/dev/null || exit 77
cd "$1"
find . \( -path './build*' -o -path './.git' \) -prune -o -name '*.[ch]' -print0 |
    xargs -0 clang-format --dry-run -Werror
