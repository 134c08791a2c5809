#!/bin/sh
# The public header compiles by itself as strict C11 and as C++, and includes only the C library's
# own: header.sh HEADER
set -eu
header=$1

others=$(grep '^#include' "$header" | grep -Evx '#include <std(bool|def|int)\.h>' || true)
if [ -n "$others" ]; then
    printf '%s includes more than it may:\n%s\n' "$header" "$others"
    exit 1
fi
cc -std=c11 -Wall -Wextra -Wpedantic -Werror -fsyntax-only -x c "$header"
if command -v c++ > /dev/null; then
    c++ -std=c++11 -Wall -Wextra -Wpedantic -Werror -fsyntax-only -x c++ "$header"
fi
