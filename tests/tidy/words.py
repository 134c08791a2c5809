"""Nothing unfinished, no code in comments, no path of the machine that it was written on.

usage: words.py ROOT"""
import os
import re

from tree import Complaints, comments, read, root_argument, walk

SUFFIXES = (".c", ".h", ".py", ".sh", ".md", ".yaml", ".build", ".txt", ".conf")
SELF = os.path.join("tests", "tidy")

UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
MACHINE = re.compile(r"(?<![\w.$})])/(?:work|home|root|tmp/wt)/")
CODE = re.compile(r"^[\s*]*(?:(?:if|for|while|switch) ?\(.*[;{]|return\b[^.]*;|\w[\w.>\[\]-]* [-+|&]?= .*;"
                  r"|\w+\(.*\);|#\s*(?:include|define|if|endif)\b.*|\})\s*(?:\*/)?$")

# Indented within a comment that has a margin of stars: an example for who reads the header.
EXAMPLE = re.compile(r"^ \*    ")


def is_script(path):
    with open(path, "rb") as file:
        return file.read(2) == b"#!"


def check_words(complaints, path, text):
    for number, line in enumerate(text.split("\n"), 1):
        for pattern, what in ((UNFINISHED, "an unfinished thing"), (MACHINE, "a path of one machine")):
            found = pattern.search(line)
            if found:
                complaints.add(path, number, f"{what}: {found.group()}")


def check_comments(complaints, path, text):
    for first, comment in comments(text):
        for number, line in enumerate(re.sub(r"^/[*/]|\*/$", "", comment).split("\n"), first):
            if CODE.match(line) and not EXAMPLE.match(line):
                complaints.add(path, number, f"code in a comment: {line.strip()}")


def main():
    root = root_argument()
    complaints = Complaints(root)
    n = 0
    for path in walk(root):
        place = os.path.relpath(path, root)
        if place.startswith(SELF) or not (path.endswith(SUFFIXES) or is_script(path)):
            continue
        n += 1
        text = read(path)
        check_words(complaints, path, text)
        if path.endswith((".c", ".h")):
            check_comments(complaints, path, text)
    complaints.finish(n, "files")


main()
