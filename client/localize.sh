#!/bin/sh
# Makes a static library whose only global symbols are the exported ones: localize.sh IN.a OUT.a CC
set -eu
in=$1 out=$2
object=$out.o

ld -r --whole-archive -o "$object" "$in"
objcopy --localize-hidden "$object"
rm -f "$out"
ar crsD "$out" "$object"
rm -f "$object"
