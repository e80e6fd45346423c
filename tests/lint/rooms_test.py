#!/usr/bin/env python3
"""The lint must find each kind of fault: planted here in a small tree of its own."""

import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import rooms  # noqa: E402


class Lint(unittest.TestCase):
    def faults(self, files, table="base:\nmarket: base\nnet: base\npure: base market\n", allowed=""):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for name, text in {**files, "lib/rooms.txt": table, "tests/lint/allowed.txt": allowed}.items():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(text)
            return rooms.check(root)

    def test_allows_what_the_table_allows(self):
        self.assertEqual(self.faults({"lib/market/a.hpp": '#include "base/b.hpp"\n#include <map>\n'}), [])

    def test_finds_a_forbidden_arrow(self):
        self.assertIn("market may not include net/n.hpp",
                      self.faults({"lib/market/a.cpp": '#include "net/n.hpp"\n'})[0])

    def test_finds_an_unknown_room(self):
        self.assertIn("no room", self.faults({"lib/other/a.cpp": ""})[0])

    def test_finds_an_upward_row_of_the_table(self):
        self.assertIn("stands below", self.faults({"lib/base/a.cpp": ""}, "base: net\nnet:\npure: base\n")[0])

    def test_finds_each_banned_thing(self):
        for what, line in {
            "clock": "auto t = std::chrono::steady_clock::now();",
            "random": "int r = rand();",
            "thread": "std::mutex m;",
            "float": "double d = 0;",
            "iostream": "#include <iostream>",
            "locale": "std::locale l;",
            "unordered": "std::unordered_map<int, int> m;",
        }.items():
            found = self.faults({"lib/market/a.cpp": line + "\n"})
            self.assertTrue(found and f": {what} in a pure room" in found[0], (what, found))

    def test_other_rooms_may_use_them(self):
        self.assertEqual(self.faults({"lib/net/a.cpp": "#include <thread>\ndouble d;\n"}), [])

    def test_comments_and_strings_are_free(self):
        self.assertEqual(self.faults({"lib/market/a.cpp": '// a double\nauto s = "float";\n'}), [])

    def test_an_exception_needs_a_reason_and_a_use(self):
        bad = {"lib/market/a.cpp": "double d;\n"}
        self.assertEqual(self.faults(bad, allowed="lib/market/a.cpp float -- printed only\n"), [])
        with self.assertRaises(SystemExit):
            self.faults(bad, allowed="lib/market/a.cpp float\n")
        self.assertIn("not needed", self.faults({"lib/market/a.cpp": ""}, allowed="lib/market/a.cpp float -- x\n")[0])


if __name__ == "__main__":
    unittest.main()
