#!/usr/bin/env python3
"""The architecture test can fail: each forbidden arrow in a made-up tree is found, and only that."""

import os
import tempfile
import unittest

import check


def findings(tree):
    with tempfile.TemporaryDirectory() as root:
        for path, text in tree.items():
            full = os.path.join(root, path)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "w", encoding="utf-8") as file:
                file.write(text)
        return list(check.findings(root))


class Arrows(unittest.TestCase):
    def allowed(self, path, include):
        self.assertEqual([], findings({path: f"#include {include}\n"}))

    def refused(self, path, include, part):
        found = findings({path: f"#pragma once\n#include {include}\n"})
        self.assertEqual(1, len(found), found)
        self.assertIn(f"{path}:2: ", found[0])
        self.assertIn(part, found[0])

    def test_arrows_that_follow_the_layers_are_allowed(self):
        self.allowed("host/core/a.h", '"host/base/result.h"')
        self.allowed("host/runtime/a.cc", '"host/ports/log.h"')
        self.allowed("host/runtime/a.cc", '"host/runtime/lane.h"')
        self.allowed("host/adapters/sqlite/a.cc", "<soci/soci.h>")
        self.allowed("host/app/main.cc", '"host/adapters/web/server.h"')
        self.allowed("host/app/main.cc", '"bindings/bindings.h"')
        self.allowed("bindings/ctx.cc", '"host/script/vm.h"')
        self.allowed("tests/unit/a_test.cc", "<boost/beast/http.hpp>")

    def test_an_arrow_upwards_is_refused(self):
        self.refused("host/base/a.h", '"host/core/message.h"', "host/base may not include host/core")
        self.refused("host/core/a.h", '"host/ports/log.h"', "host/core may not include host/ports")
        self.refused("host/script/a.cc", '"bindings/ctx.h"', "host/script may not include bindings")

    def test_runtime_knows_no_adapter_and_no_script(self):
        self.refused("host/runtime/a.cc", '"host/script/vm.h"', "may not include host/script")
        self.refused("host/runtime/a.cc", '"host/adapters/sqlite/db.h"', "may not include host/ad")
        self.refused("host/runtime/a.cc", "<lua.h>", "it belongs to host/script, bindings")
        self.refused("host/runtime/a.cc", "<boost/beast/core.hpp>", "it belongs to host/adapters/web")

    def test_adapters_do_not_know_each_other(self):
        self.refused("host/adapters/web/a.cc", '"host/adapters/sqlite/db.h"', "may not include")
        self.refused("host/adapters/web/a.cc", "<sqlite3.h>", "it belongs to host/adapters/sqlite")

    def test_nothing_that_ships_includes_a_test(self):
        self.refused("host/app/a.cc", '"tests/fakes/fake_log.h"', "host/app may not include tests")
        self.refused("host/core/a.cc", '"tests/fakes/fake_log.h"', "host/core may not include tests")

    def test_the_operating_system_stays_below_the_ports(self):
        self.refused("host/core/a.cc", "<unistd.h>", "the operating system is the adapters'")
        self.allowed("host/adapters/files/a.cc", "<sys/inotify.h>")

    def test_an_unknown_library_needs_an_entry(self):
        self.refused("host/app/a.cc", "<leveldb/db.h>", "is in no table")

    def test_a_header_is_named_from_the_root(self):
        self.refused("host/core/a.cc", '"message.h"', "is not written from the root")

    def test_a_new_folder_needs_an_entry(self):
        self.refused("host/newcomer/a.cc", "<vector>", "this folder has no entry")


class Text(unittest.TestCase):
    def test_a_path_of_one_machine_is_refused(self):
        for root in ("home", "work", "Users"):
            text = "see /" + root + "/someone/notes.txt\n"
            self.assertEqual(1, len(findings({"README.md": text})), text)

    def test_ordinary_paths_are_not_meant(self):
        text = "GET /universes/:id, ./work/x, /usr/include, build/home/x, https://a.example/home/x\n"
        self.assertEqual([], findings({"README.md": text}))

    def test_built_files_are_not_read(self):
        self.assertEqual([], findings({"build/x/a.h": '#include "host/none.h"\n'}))


if __name__ == "__main__":
    unittest.main()
