"""What the tidy tests share: the files of a tree, their text without comments, complaints."""
import os
import re
import sys

LAYERS = ("common", "agent", "aggregator", "client")


class Complaints:
    """Collects what is wrong, prints it as file:line: message, and ends the test."""

    def __init__(self, root):
        self.root = root
        self.lines = []

    def add(self, path, line, message):
        self.lines.append(f"{os.path.relpath(path, self.root)}:{line}: {message}")

    def finish(self, n_looked_at, what):
        for line in self.lines:
            print(line)
        print(f"{len(self.lines)} complaints about {n_looked_at} {what}")
        if n_looked_at == 0:
            print(f"there are no {what}: nothing was tested")
        sys.exit(1 if self.lines or n_looked_at == 0 else 0)


def walk(root, suffixes=(), folders=None):
    """Yields the paths of the tree's own files: no build folders, nothing hidden but .ci."""
    for folder, names, files in os.walk(root):
        top = os.path.relpath(folder, root)
        names[:] = sorted(n for n in names if (not n.startswith(".") or n == ".ci")
                          and not (top == "." and n.startswith("build")) and n != "__pycache__")
        if folders is not None and top.split(os.sep)[0] not in folders:
            continue
        for name in sorted(files):
            if not suffixes or name.endswith(suffixes):
                yield os.path.join(folder, name)


def read(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


_TOKENS = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def _blank(text):
    return re.sub(r"[^\n]", " ", text)


def without_comments(text):
    """The same text, comments blanked, every line and column kept; strings stay."""
    return _TOKENS.sub(lambda m: _blank(m.group()) if m.group()[0] == "/" else m.group(), text)


def without_comments_and_strings(text):
    """The same, and what stands in strings and character constants is blanked, too."""
    def replace(match):
        token = match.group()
        return _blank(token) if token[0] == "/" else token[0] + _blank(token[1:-1]) + token[-1]
    return _TOKENS.sub(replace, text)


def comments(text):
    """Yields (line, text) of each comment."""
    for match in _TOKENS.finditer(text):
        if match.group()[0] == "/":
            yield line_of(text, match.start()), match.group()


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def includes(text):
    """Yields (line, name, is_ours) of each #include; "" ones are ours."""
    for match in re.finditer(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]',
                             without_comments(text), re.M):
        yield line_of(text, match.start()), match.group(2), match.group(1) == '"'


def root_argument():
    if len(sys.argv) < 2:
        sys.exit(f"usage: {sys.argv[0]} ROOT ...")
    return os.path.abspath(sys.argv[1])
