"""Every prototype in a header is documented, alone or as part of a group.

usage: prototypes.py ROOT    a group: consecutive lines without a blank one, a comment first;
a comment on the same line is one, too"""
import re

from tree import LAYERS, Complaints, read, root_argument, walk, without_comments_and_strings

PROTOTYPE = re.compile(r"^(?!typedef\b|return\b|struct \w+ \{|static inline\b|#)"
                       r"[A-Za-z_][\w \t*\n(),]*?\b(\w+)\s*\([^;{}]*\)[^;{}]*;", re.M)


def top_level(code):
    """The code with everything inside braces and all preprocessor lines blanked."""
    out, depth = [], 0
    for char in re.sub(r"^[ \t]*#(?:[^\n\\]|\\.|\\\n)*", lambda m: re.sub(r"[^\n]", " ", m.group()),
                       code, flags=re.M):
        depth -= char == "}"
        out.append(char if depth == 0 or char == "\n" else " ")
        depth += char == "{"
    return "".join(out)


def statements(code):
    """Yields (offset, name) of each prototype at the outermost level."""
    for match in re.finditer(r"[^;{}\s][^;{}]*;", code):
        text = match.group()
        found = PROTOTYPE.match(text)
        if found and not re.match(r"(typedef|static_assert|_Static_assert)\b", text):
            yield match.start(), found.group(1)


def is_documented(lines, line):
    """Whether the block of lines without a blank one that `line` (0-based) stands in begins with a
    comment, so that one comment can speak for a struct and what fills it, or for a few functions."""
    while line > 0 and lines[line - 1].strip():
        line -= 1
    return lines[line].lstrip().startswith(("/*", "//"))


def main():
    root = root_argument()
    complaints = Complaints(root)
    n = 0
    for path in walk(root, (".h",), LAYERS):
        text = read(path)
        lines = text.split("\n")
        outer = top_level(without_comments_and_strings(text))
        for offset, name in statements(outer):
            n += 1
            line = outer.count("\n", 0, offset)
            end = outer.count("\n", 0, outer.index(";", offset))
            beside = re.search(r";\s*/[*/]", lines[end])
            if not beside and not is_documented(lines, line):
                complaints.add(path, line + 1, f"{name}() has no comment above it")
    complaints.finish(n, "prototypes")


main()
