"""The tidy tests can fail: each is given a small tree that breaks its rule, and one that does not.

usage: test_tidy.py"""
import os
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
COMMENT = "/* What it does. */\n"


def write(root, files):
    for name, text in files.items():
        path = os.path.join(root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)


class Tidy(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = folder.name

    def run_test(self, script, files, *arguments):
        write(self.root, files)
        path = os.path.join(HERE, script)
        program = [sys.executable] if script.endswith(".py") else []
        done = subprocess.run([*program, path, self.root, *arguments], text=True, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode == 77:
            self.skipTest(f"{script} needs a tool that is not here")
        return done.returncode, done.stdout

    def passes(self, script, files, *arguments):
        code, text = self.run_test(script, files, *arguments)
        self.assertEqual(code, 0, text)

    def fails(self, script, files, saying, *arguments):
        code, text = self.run_test(script, files, *arguments)
        self.assertNotIn(code, (0, 77), text)
        self.assertIn(saying, text)

    # An agent that reads a header of the aggregator climbs the ladder.
    def test_ladder_sees_a_climb(self):
        self.fails("ladder.py", {"aggregator/fleet.h": "", "agent/a.c":
                                 '#include <stdio.h>\n#include "aggregator/fleet.h"\n'},
                   'agent/a.c:2: agent may not include "aggregator/fleet.h"')

    # A name relative to the file does not show the direction.
    def test_ladder_sees_a_relative_include(self):
        self.fails("ladder.py", {"common/b.h": "", "common/a.c": '#include "b.h"\n'},
                   'common/a.c:1: common may not include "b.h"')

    # A library's header may stand in its one file, and nowhere else.
    def test_ladder_sees_a_foreign_header(self):
        self.fails("ladder.py", {"common/link.c": "#include <nng/nng.h>\n",
                                 "agent/a.h": "#include <nng/nng.h>\n"},
                   "agent/a.h:1: <nng/nng.h> belongs into common/link.c")

    # Two headers that include each other.
    def test_ladder_sees_a_circle(self):
        self.fails("ladder.py", {"common/a.h": '#include "common/b.h"\n',
                                 "common/b.h": '#include "common/a.h"\n'},
                   "include circle: a.h -> b.h -> a.h")

    # The command-line tool proves that the public header is enough.
    def test_ladder_sees_ekctl_cheat(self):
        self.fails("ladder.py", {"common/wire.h": "", "client/ekctl.c": '#include "common/wire.h"\n'},
                   "ekctl lives on evenkeel/evenkeel.h alone")

    # A deciding file that includes the clock.
    def test_ladder_sees_an_impure_include(self):
        self.fails("ladder.py", {"meson.build": "pure_names = ['common/rate.c']\n",
                                 "common/clock.h": "/* The clock. Shell. */\n",
                                 "common/rate.c": '#include "common/clock.h"\n'},
                   "common/rate.c:1: a pure file may not include")

    # What goes down only is fine, and a comment is not an include.
    def test_ladder_passes(self):
        self.passes("ladder.py", {"common/a.h": "#include <stdint.h>\n",
                                  "agent/a.c": '/*\n#include "aggregator/x.h"\n*/\n'
                                               '#include "common/a.h"\n'})

    # A tree without sources was not tested.
    def test_ladder_wants_sources(self):
        self.fails("ladder.py", {}, "nothing was tested")

    def archive(self, code):
        write(self.root, {"rate.c": code})
        library = os.path.join(self.root, "lib.a")
        thing = os.path.join(self.root, "agent_rate.c.o")
        subprocess.run(["cc", "-c", os.path.join(self.root, "rate.c"), "-o", thing], check=True)
        subprocess.run(["ar", "crT", library, thing], check=True)
        return library

    # A deciding file that asks for the time, or for memory.
    def test_pure_sees_the_clock(self):
        library = self.archive("#include <time.h>\nlong f(void);\nlong f(void)\n"
                               "{\n    return time(0);\n}\n")
        self.fails("pure.py", {}, "agent_rate.c.o:1: a pure file may not call time()", library)

    def test_pure_sees_an_allocation(self):
        library = self.archive("#include <stdlib.h>\nvoid *f(void);\nvoid *f(void)\n"
                               "{\n    return malloc(7);\n}\n")
        self.fails("pure.py", {}, "a pure file may not call malloc()", library)

    # Copying bytes is no sin.
    def test_pure_passes(self):
        library = self.archive("#include <string.h>\nunsigned long f(const char *s);\n"
                               "unsigned long f(const char *s)\n{\n    return strlen(s);\n}\n")
        self.passes("pure.py", {}, library)

    # Two files that each define a function of the same name.
    def test_twice_sees_it(self):
        write(self.root, {"a.c": "int f(void);\nint f(void)\n{\n    return 1;\n}\n"})
        library = os.path.join(self.root, "lib.a")
        things = [os.path.join(self.root, f"{name}.c.o") for name in ("agent_x", "aggregator_y")]
        for thing in things:
            subprocess.run(["cc", "-c", os.path.join(self.root, "a.c"), "-o", thing], check=True)
        subprocess.run(["ar", "crT", library, *things], check=True)
        self.fails("twice.py", {}, "f is defined in", library)
        os.remove(library)
        subprocess.run(["ar", "crT", library, things[0]], check=True)
        self.passes("twice.py", {}, library)

    # A prototype alone, without a word.
    def test_prototypes_sees_a_silent_one(self):
        self.fails("prototypes.py", {"common/a.h": COMMENT + "int a_one(void);\n\nint a_two(int x,\n"
                                                             "          int y);\n"},
                   "common/a.h:4: a_two() has no comment above it")

    # One comment speaks for a group; inline bodies and types are no prototypes.
    def test_prototypes_passes(self):
        self.passes("prototypes.py", {"common/a.h": COMMENT + "int a_one(void);\nint a_two(void);\n\n"
                                      "int a_four(void); /* beside */\n\n"
                                      "typedef int (*a_hook)(void);\n\n"
                                      "static inline int a_three(void)\n{\n    return a_one();\n}\n"})

    # One line too many.
    def test_length_sees_a_long_function(self):
        body = "    f();\n" * 68
        self.fails("length.py", {"common/a.c": f"int g(int x)\n{{\n{body}}}\n"},
                   "common/a.c:1: g() has 71 lines")

    # Short enough each, and too long together.
    def test_length_sees_half_of_them(self):
        body = "    f();\n" * 20
        self.fails("length.py", {"common/a.c": f"int g(int x)\n{{\n{body}}}\n"},
                   "0 of 1 functions have under 12 lines")

    def test_length_passes(self):
        self.passes("length.py", {"common/a.c": "static int\nf(int x,\n  int y)\n{\n    return x;\n}\n"})

    # Unfinished things, machine paths, dead code.
    def test_words_sees_them(self):
        for text, saying in (("/* TO" "DO: more */\n", "common/a.c:1: an unfinished thing"),
                             ('char *p = "/ho' 'me/me/x";\n', "common/a.c:1: a path of one machine"),
                             ("/* x = f(1);\n */\n", "common/a.c:1: code in a comment"),
                             ("// return x;\n", "common/a.c:1: code in a comment")):
            self.fails("words.py", {"common/a.c": text}, saying)

    def test_words_passes(self):
        self.passes("words.py", {"common/a.c": "/* Returns 0; the rest is ignored. */\n"
                                  "/* How to use it:\n *\n *     f(1);\n */\n"})

    # Two spaces where clang-format wants four.
    def test_format_sees_it(self):
        style = {".clang-format": "BasedOnStyle: LLVM\nIndentWidth: 4\n"}
        self.fails("format.sh", {**style, "common/a.c": "int f(void) {\n  return 1;\n}\n"}, "a.c:2")
        self.passes("format.sh", {**style, "common/a.c": "int f(void) { return 1; }\n"})

    # A variable without quotes.
    def test_shell_sees_it(self):
        self.fails("shell.sh", {"a": "#!/bin/sh\nrm $1\n"}, "SC2086")
        self.passes("shell.sh", {"a": '#!/bin/sh\nrm "$1"\n'})

    def daemon(self, text):
        path = os.path.join(self.root, "daemon")
        write(self.root, {"daemon": f"#!/bin/sh\n{text}\n"})
        os.chmod(path, 0o755)
        return f"agent={path}"

    # A table in the documentation that the daemon no longer prints, and how it is put right.
    def test_options_doc_sees_a_difference(self):
        page = {"docs/operating.md": "# x\n<!-- agent options -->\n|old|\n<!-- end -->\n"}
        daemon = self.daemon('echo "|new|"')
        self.fails("options_doc.py", page, "docs/operating.md:3", daemon)
        code, text = self.run_test("options_doc.py", {}, daemon, "--write")
        self.assertEqual(code, 0, text)
        self.passes("options_doc.py", {}, daemon)

    # An example that its daemon refuses.
    def test_examples_sees_a_refusal(self):
        example = {"deploy/agent.yaml": "node: x\n"}
        self.fails("examples.py", example, "deploy/agent.yaml:1: refused", self.daemon("exit 1"))
        self.passes("examples.py", example, self.daemon("exit 0"))


if __name__ == "__main__":
    unittest.main()
