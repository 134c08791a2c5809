"""The option tables of the documentation are those that the daemons print.

usage: options_doc.py [--write] ROOT agent=BINARY aggregator=BINARY
--write puts what the daemons print between the markers <!-- agent options --> and <!-- end -->."""
import os
import re
import subprocess
import sys

from tree import Complaints, line_of, read


def printed(binary):
    return subprocess.run([binary, "--print-options"], check=True, text=True,
                          stdout=subprocess.PIPE).stdout.strip()


def main():
    arguments = [a for a in sys.argv[1:] if a != "--write"]
    if len(arguments) < 2:
        sys.exit(__doc__)
    write = "--write" in sys.argv
    root = os.path.abspath(arguments[0])
    path = os.path.join(root, "docs", "operating.md")
    complaints = Complaints(root)
    text = read(path) if os.path.exists(path) else ""
    for daemon, binary in (argument.split("=", 1) for argument in arguments[1:]):
        table = printed(binary)
        section = re.compile(rf"(<!-- {daemon} options -->\n)(.*?)(\n?<!-- end -->)", re.S)
        found = section.search(text)
        if not found:
            complaints.add(path, 1, f"no section between <!-- {daemon} options --> and <!-- end -->")
        elif write:
            text = text[:found.start(2)] + table + "\n" + text[found.start(3):].lstrip("\n")
        elif found.group(2).strip() != table:
            complaints.add(path, line_of(text, found.start(2)), f"not what {os.path.basename(binary)}"
                           " --print-options says; run tests/tidy/options_doc.py --write")
    if write and not complaints.lines:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    complaints.finish(len(arguments) - 1, "option tables")


main()
