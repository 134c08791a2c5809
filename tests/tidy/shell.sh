#!/bin/sh
# Every shell script passes shellcheck: shell.sh ROOT
set -eu
command -v shellcheck >/dev/null || exit 77
cd "$1"
scripts=$(find . \( -path './build*' -o -path './.git' \) -prune -o -type f -print |
    while read -r file; do
        if head -c 64 "$file" | head -n 1 | grep -aqE '^#!.*/(env )?(ba)?sh( |$)'; then
            echo "$file"
        fi
    done)
[ -n "$scripts" ]
# shellcheck disable=SC2086 # one name a word: the tree has no spaces in names
shellcheck -x $scripts
