#!/usr/bin/env python3
"""The reference pages name all that the code knows: what scripts can call and say, and the options.

usage: documents_test.py
"""

import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def text_of(*patterns):
    files = [file for pattern in patterns for file in sorted(ROOT.glob(pattern))]
    assert files, patterns
    return "\n".join(file.read_text("utf-8") for file in files)


class DocumentsTest(unittest.TestCase):
    def setUp(self):
        self.api = text_of("docs/plugin-api.md")
        self.running = text_of("docs/running.md")

    def named(self, names, page, at_least):
        """`at_least`: fewer would mean that this test no longer finds them in the code."""
        self.assertGreaterEqual(len(names), at_least, names)
        self.assertEqual([], sorted(n for n in names if not re.search(rf"\b{n}\b", page)))

    def test_every_function_and_field_of_ctx_is_in_the_reference(self):
        code = text_of("bindings/ctx*.cc")
        functions = re.findall(r'\{"(\w+)", script::guarded<', code)
        fields = re.findall(r'^    \{"(\w+)", k\w+', code, re.MULTILINE)
        self.named(set(functions), self.api, 25)
        self.named(set(fields), self.api, 8)

    def test_every_field_of_a_manifest_is_in_the_reference(self):
        code = text_of("host/script/manifest_*.cc")
        lists = re.findall(r'only_fields\([^;]*?\{(\s*"[^}]*)\}', code)
        self.named(set(re.findall(r'"(\w+)"', " ".join(lists))), self.api, 40)

    def test_every_function_of_a_module_is_in_the_reference(self):
        lua = text_of("bindings/list.lua", "bindings/sql.lua")
        self.named(set(re.findall(r"^function M\.(\w+)", lua, re.MULTILINE)), self.api, 12)
        tests = text_of("bindings/test.lua")
        self.named(set(re.findall(r"^function t\.(\w+)", tests, re.MULTILINE)), self.api, 9)
        spec = text_of("bindings/spec.cc")
        kinds = re.findall(r'\{"(\w+)", (?:Kind::|guarded<spec)', spec)
        self.named(set(kinds), self.api, 15)

    def test_every_option_and_refused_command_is_documented(self):
        code = text_of("host/app/options.cc")
        known = re.findall(r'^    \{"([\w-]+)", "[^"]+", "[^"]+"\},$', code, re.MULTILINE)
        self.assertGreaterEqual(len(known), 12)
        self.assertEqual([], [name for name in known if f"`--{name}" not in self.running])
        refused = re.findall(r'^    \{"(\w+)", "[^"]+"\},$', code, re.MULTILINE)
        self.named(set(refused), self.api, 8)

    def test_defaults_of_options_are_those_of_the_help(self):
        helped = re.findall(r'^    \{"([\w-]+)", "\w+", "[^"]*\((\S+)\)"\},$',
                            text_of("host/app/options.cc"), re.MULTILINE)
        self.assertGreaterEqual(len(helped), 8)
        for option, default in helped:
            row = re.search(rf"^\| `--{option} .*?` \| ([^|]*) \|", self.running, re.MULTILINE)
            self.assertIsNotNone(row, option)
            self.assertIn(default, row.group(1), option)

    def test_operations_has_every_alarm_and_no_metric_of_its_own(self):
        metrics, operations = text_of("docs/metrics.md"), text_of("docs/operations.md")
        alarms = re.search(r"## Alarms\n\n```\n(.*?)```", metrics, re.DOTALL).group(1)
        embedded = {"host_store_disk_free_bytes"}  # named there as such
        alarmed = {re.sub(r"_bucket$", "", name) for name in re.findall(r"host_\w+", alarms)}
        self.named(alarmed | embedded, operations, 8)
        told = set(re.findall(r"`(host_[a-z_]+[a-z])", operations)) - {"host_hagrid", "host_master"}
        self.named(told, metrics, 15)

    def test_every_link_of_the_documents_leads_somewhere(self):
        pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("examples/**/*.md")]
        links = [(page, *link.partition("#")[::2]) for page in pages for link in
                 re.findall(r"\]\(((?!https?:)[^)\s]+)\)", page.read_text("utf-8"))]
        self.assertGreaterEqual(len(links), 60)
        self.assertEqual([], [f"{page.name}: {file}#{part}" for page, file, part in links
                              if not self.leads(page, file, part)])

    @staticmethod
    def leads(page, file, part):
        target = (page.parent / file).resolve() if file else page
        if not target.exists() or not part:
            return target.exists()
        headings = re.findall(r"^#+ (.*)$", target.read_text("utf-8"), re.MULTILINE)
        return part in {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}

    def test_every_warning_and_error_that_the_host_logs_is_in_its_table(self):
        lines = re.findall(r'LogLevel::(?:warn|error),\s*(?:raised \? )?"([^"]+)"',
                           text_of("host/**/*.cc"))
        self.assertGreaterEqual(len(lines), 15)
        self.assertEqual([], [line for line in lines if line.strip(" :")[:25] not in self.running])


if __name__ == "__main__":
    unittest.main()
