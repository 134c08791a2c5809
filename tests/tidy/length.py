"""Functions are about a screen: half under 12 lines, nine in ten under 40, none over 70.

usage: length.py ROOT    from the signature to the closing brace: the shares count lines of code,
without blank ones and comments; the most that one may have counts what is on the screen"""
import os
import re

from tree import LAYERS, Complaints, read, root_argument, walk, without_comments_and_strings

# Longer than 70 lines, and why that is better than cutting them up: {"file.c:function": "reason"}.
LONG = {
}

HALF, MOST, ALL = 12, 40, 70
START = re.compile(r"^(?![#}\s/*]|typedef\b|struct \w+ \{|enum\b[^(]*\{|union\b[^(]*\{)[^;={}]*?"
                   r"\b(\w+)\([^;{}]*\)\n\{", re.M)


def functions(code):
    """Yields (name, first line, lines, lines of code) of each function in clang-formatted code."""
    for match in START.finditer(code):
        end = code.find("\n}", match.end() - 1)
        first = code.count("\n", 0, match.start()) + 1
        lines = code[match.start():end + 2].split("\n")
        yield match.group(1), first, len(lines), sum(1 for line in lines if line.strip())


def main():
    root = root_argument()
    complaints = Complaints(root)
    lengths = []
    for path in walk(root, (".c", ".h"), LAYERS + ("deploy",)):
        for name, line, length, code in functions(without_comments_and_strings(read(path))):
            lengths.append(code)
            listed = f"{os.path.relpath(path, root)}:{name}" in LONG
            if length > ALL and not listed:
                complaints.add(path, line, f"{name}() has {length} lines; {ALL} is the most")
    for share, bound in ((0.5, HALF), (0.9, MOST)):
        n = sum(length < bound for length in lengths)
        if n < share * len(lengths):
            complaints.add(root, 0, f"{n} of {len(lengths)} functions have under {bound} lines; "
                           f"{share:.0%} should be")
    complaints.finish(len(lengths), "functions")


main()
