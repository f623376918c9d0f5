#!/usr/bin/env python3
"""The project's includes keep to the floors, and the check that says so catches each kind of wrong include."""

import pathlib
import tempfile
import unittest

import include_direction

ROOT = pathlib.Path(__file__).resolve().parents[2]


class project(unittest.TestCase):
    def test_every_include_keeps_to_the_floors(self):
        files, violations = include_direction.check_tree(ROOT)
        self.assertGreater(files, 0)
        self.assertEqual(violations, [], "\n" + "\n".join(violations))


class check(unittest.TestCase):
    """Runs the check on a small tree that holds one header in each folder and the file under test."""

    def violations(self, path, text):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for name in ("core/a", "config/a", "actors/node", "actors/store", "persistence/a", "net/a", "daemon/a",
                         "tests/support/a"):
                header = root / f"{name}.hpp"
                header.parent.mkdir(parents=True, exist_ok=True)
                header.write_text("#pragma once\n")
            source = root / path
            source.parent.mkdir(parents=True, exist_ok=True)
            source.write_text(text)
            return include_direction.check_tree(root)[1]

    def assert_caught(self, path, include):
        found = self.violations(path, f"#include {include}\n")
        self.assertEqual(len(found), 1, f"{path} includes {include}: {found}")
        self.assertTrue(found[0].startswith(f"{path}:1: "), found[0])

    def assert_allowed(self, path, include):
        self.assertEqual(self.violations(path, f"#include {include}\n"), [])

    def test_a_floor_never_includes_a_floor_above(self):
        order = ["core", "config", "actors", "persistence", "daemon"]
        for position, lower in enumerate(order):
            for upper in order[position + 1:]:
                header = '"actors/store.hpp"' if upper == "actors" else f'"{upper}/a.hpp"'
                self.assert_caught(f"{lower}/wrong.cpp", header)

    def test_the_edges_never_include_each_other(self):
        self.assert_caught("net/wrong.cpp", '"persistence/a.hpp"')
        self.assert_caught("persistence/sub/wrong.hpp", '"net/a.hpp"')

    def test_the_edges_see_only_the_ports_of_actors(self):
        for edge in ("net", "persistence"):
            self.assert_caught(f"{edge}/wrong.cpp", '"actors/node.hpp"')
            self.assert_allowed(f"{edge}/right.cpp", '"actors/store.hpp"')

    def test_no_folder_includes_the_tests(self):
        for folder in include_direction.FOLDERS:
            self.assert_caught(f"{folder}/wrong.cpp", '"tests/support/a.hpp"')

    def test_lower_floors_are_allowed(self):
        self.assert_allowed("daemon/right.cpp", '"net/a.hpp"')
        self.assert_allowed("daemon/right.cpp", '"actors/node.hpp"')
        self.assert_allowed("actors/right.cpp", '"core/a.hpp"')
        self.assert_allowed("tests/net/right.cpp", '"net/a.hpp"')

    def test_libraries_stay_on_their_floor(self):
        for path, include in (
            ("core/wrong.cpp", "<spdlog/spdlog.h>"),
            ("core/wrong.cpp", "<openssl/evp.h>"),
            ("core/signature.hpp", "<openssl/evp.h>"),
            ("core/wrong.cpp", "<boost/json.hpp>"),
            ("core/wrong.cpp", "<boost/asio.hpp>"),
            ("config/wrong.cpp", "<caf/all.hpp>"),
            ("persistence/wrong.cpp", "<caf/actor.hpp>"),
            ("net/wrong.cpp", "<caf/actor.hpp>"),
            ("net/wrong.cpp", "<pqxx/pqxx>"),
            ("actors/wrong.cpp", "<pqxx/pqxx>"),
            ("daemon/wrong.cpp", "<libpq-fe.h>"),
            ("actors/wrong.cpp", "<boost/asio/io_context.hpp>"),
            ("persistence/wrong.cpp", "<boost/beast/http.hpp>"),
            ("daemon/wrong.cpp", "<boost/beast/core.hpp>"),
            ("net/wrong.cpp", "<toml++/toml.h>"),
            ("net/wrong.cpp", "<CLI/CLI.hpp>"),
            ("daemon/wrong.cpp", "<prometheus/registry.h>"),
        ):
            self.assert_caught(path, include)

    def test_libraries_are_allowed_on_their_floor(self):
        for path, include in (
            ("core/right.cpp", "<vector>"),
            ("core/right.hpp", "<boost/system/result.hpp>"),
            ("core/signature.cpp", "<openssl/hmac.h>"),
            ("actors/right.hpp", "<caf/typed_actor.hpp>"),
            ("persistence/right.cpp", "<pqxx/pqxx>"),
            ("net/right.cpp", "<boost/beast/http.hpp>"),
            ("daemon/main.cpp", "<boost/asio/io_context.hpp>"),
        ):
            self.assert_allowed(path, include)

    def test_includes_are_relative_to_the_root_and_in_quotes(self):
        self.assert_caught("core/wrong.cpp", '"a.hpp"')
        self.assert_caught("core/wrong.cpp", '"missing/a.hpp"')
        self.assert_caught("core/wrong.cpp", '"core/../core/a.hpp"')
        self.assert_caught("core/wrong.cpp", "<core/a.hpp>")
        self.assert_caught("core/wrong.cpp", "SOME_MACRO")

    def test_unusual_spelling_is_read_as_well(self):
        self.assert_caught("core/wrong.cpp", ' "net/a.hpp" // comment')
        self.assertEqual(len(self.violations("core/wrong.cpp", '  #  include"net/a.hpp"\n')), 1)

    def test_a_source_file_includes_its_own_header_first(self):
        self.assertEqual(self.violations("core/a.cpp", '#include "core/a.hpp"\n#include <vector>\n'), [])
        self.assertEqual(len(self.violations("core/a.cpp", '#include <vector>\n#include "core/a.hpp"\n')), 1)
        self.assertEqual(len(self.violations("core/a.cpp", "int unused;\n")), 1)


if __name__ == "__main__":
    unittest.main()
