"""No name is defined twice in the libraries: the linker would take the first of them for both.

usage: twice.py ROOT LIBRARY..."""
import re
import subprocess
import sys


def definitions(library):
    """Yields (symbol, object) of every global definition."""
    text = subprocess.run(["nm", "-A", "-g", "--defined-only", library], check=True, text=True,
                          stdout=subprocess.PIPE).stdout
    for line in text.splitlines():
        where, rest = line.rsplit(": ", 1) if ": " in line else line.rsplit(":", 1)
        kind, symbol = rest.split()[-2:]
        if kind in "TDBRC":
            yield symbol, re.split(r"[:/]", where)[-1].strip()


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    places = {}
    for library in sys.argv[2:]:
        for symbol, place in definitions(library):
            places.setdefault(symbol, []).append(place)
    bad = {symbol: found for symbol, found in sorted(places.items()) if len(found) > 1
           and not symbol.startswith("__")}
    for symbol, found in bad.items():
        print(f"{found[0]}:1: {symbol} is defined in {' and in '.join(found[1:])}, too")
    print(f"{len(bad)} complaints about {len(places)} names")
    sys.exit(1 if bad or not places else 0)


main()
