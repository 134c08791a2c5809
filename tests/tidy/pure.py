"""The pure library asks for nothing that reads, writes, waits, draws or knows the time.

usage: pure.py ROOT LIBRARY    reads the undefined symbols of each object (nm -u)"""
import re
import subprocess
import sys

# Arithmetic on memory and numbers.
ANYWHERE = re.compile(r"""
    mem(cpy|move|set|cmp|chr|rchr|mem) | str(n?len|n?cmp|r?chr|chrnul|c?spn|str|pbrk|n?casecmp)
  | (stp|str)n?cpy | __(mem|st[rp]|v?sn?printf)\w*_chk | v?snprintf
  | strto(u?ll?|u?l|d) | inet_pton | __isoc(99|23)_\w+ | __errno_location
  | (fabs|floor|ceil|trunc|l?l?round|rint|l?lrint|sqrt|pow|exp|exp2|log|log2|log10|fmin|fmax|fmod|nextafter)f?
  | __(isnan|isinf|finite|fpclassify|signbit)f? | (isalnum|isdigit) | __ctype_b_loc
  | (qsort|bsearch|abs|labs|llabs|abort|__assert_fail|__assert)
  | __stack_chk_fail | _GLOBAL_OFFSET_TABLE_ | __tls_get_addr
  | (__asan|__ubsan|__tsan|__sanitizer|__sancov|__gcov|__llvm)\w* | __odr_asan\S*
""", re.X)

# Tables that grow, where the header says so; the encoder of msgpack-c in the wire.
MAY_ALLOCATE = re.compile(r"aggregator_\w+\.c\.o|common_(wire|parking)\.c\.o")
ALLOCATION = re.compile(r"(m|c|re)alloc|reallocarray|free")
MSGPACK = re.compile(r"msgpack_\w+")


def symbols(library):
    """Yields (object, symbol, is_undefined) of every external symbol."""
    text = subprocess.run(["nm", "-A", "-g", library], check=True, text=True,
                          stdout=subprocess.PIPE).stdout
    for line in text.splitlines():
        where, rest = line.rsplit(": ", 1) if ": " in line else line.rsplit(":", 1)
        fields = rest.split()
        kind, symbol = fields[-2], fields[-1]
        yield re.split(r"[:/]", where)[-1].strip(), symbol.split("@")[0], kind in "Uvw"


def is_allowed(place, symbol, defined):
    if symbol in defined or ANYWHERE.fullmatch(symbol):
        return True
    if ALLOCATION.fullmatch(symbol):
        return MAY_ALLOCATE.fullmatch(place) is not None
    return MSGPACK.fullmatch(symbol) is not None and place.endswith("wire.c.o")


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    found = list(symbols(sys.argv[2]))
    defined = {symbol for _, symbol, undefined in found if not undefined}
    bad = sorted({(place, symbol) for place, symbol, undefined in found
                  if undefined and not is_allowed(place, symbol, defined)})
    for place, symbol in bad:
        print(f"{place}:1: a pure file may not call {symbol}()")
    print(f"{len(bad)} complaints about {len({place for place, _, _ in found})} objects")
    sys.exit(1 if bad or not found else 0)


main()
