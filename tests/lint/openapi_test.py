#!/usr/bin/env python3
"""docs/openapi.json and the sources name the same routes, roles, and codes of problems; each difference is named."""

import json
import pathlib
import unittest

import openapi_sources

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCUMENT = json.loads((ROOT / "docs/openapi.json").read_text(encoding="utf-8"))
SCHEMAS = DOCUMENT["components"]["schemas"]
SOURCES = openapi_sources.read(ROOT, ("core", "actors", "persistence", "net", "daemon"))

# Documented, and on its way in branches that are not merged yet. Each is to be deleted with its merge.
ROUTES_NOT_MERGED_YET = set()
PROBLEMS_NOT_MERGED_YET = set()
FIELD_ERRORS_NOT_MERGED_YET = set()

# Ingest is no table of routes: its path is parsed on the hot path, and the scheme decides on the method.
INGEST = {f"{method} /in/{{tenant}}/{{source}}" for method in ("GET", "POST", "PUT", "PATCH", "DELETE")}

# Never answered over HTTP: they end the program, or a command, with a line for whoever started it.
NEVER_ANSWERED = {
    "400 configuration-invalid",
    "400 database-unknown",
    "400 database-url-invalid",
    "400 master-key-missing",
    "400 master-key-unusable",
    "400 pem-invalid",
    "409 node-name-taken",
    "500 actors-failed",
    "500 child-failed",
    "500 embedded-postgres-failed",
    "500 embedded-postgres-locked",
    "500 insecure-key-failed",
    "500 listen-failed",
    "500 schema-changed",
    "500 schema-newer",
    "500 schema-older",
}
NEVER_ANSWERED_WORDS = {"migration-failed"}

ROLES = {
    "open": [],
    "viewer": [{"bearer": ["tenant_viewer"]}],
    "admin": [{"bearer": ["tenant_admin"]}],
    "operator_": [{"bearer": ["operator"]}],
    "inspection": [{"bearer": ["operator"]}],
}


def operations():
    for path, item in DOCUMENT["paths"].items():
        for method in ("get", "post", "put", "patch", "delete"):
            if method in item:
                yield f"{method.upper()} {path}", item[method]


def constants(schema):
    return {one["const"]: one for one in SCHEMAS[schema]["oneOf"]}


class document(unittest.TestCase):
    def assert_same(self, written, documented, not_merged_yet, what):
        """Every difference is named, and what is merged does not stay on the list of what is not."""
        faults = [f"{one}: {what}, but not in docs/openapi.json" for one in sorted(written - documented)]
        faults += [f"{one}: in docs/openapi.json, but not {what}" for one in sorted(documented - written - not_merged_yet)]
        faults += [f"{one}: merged; delete it from the list" for one in sorted(written & not_merged_yet)]
        self.assertEqual(faults, [], "\n" + "\n".join(faults))

    def test_the_routes_are_those_of_the_tables(self):
        routes, unread = openapi_sources.routes(SOURCES)
        self.assertEqual(unread, [])
        written = {f"{method} {path}" for method, path in routes} | INGEST
        self.assert_same(written, {name for name, _ in operations()}, ROUTES_NOT_MERGED_YET, "in the tables of routes")

    def test_each_operation_tells_the_role_that_its_route_asks_for(self):
        routes, _ = openapi_sources.routes(SOURCES)
        said = dict(operations())
        for (method, path), access in routes.items():
            if f"{method} {path}" in said:
                with self.subTest(f"{method} {path}"):
                    self.assertEqual(said[f"{method} {path}"].get("security"), ROLES[access])
        for name in INGEST:
            self.assertEqual(said[name].get("security"), [])

    def test_the_problem_codes_and_their_statuses_are_those_of_the_sources(self):
        written = {f"{status} {code}" for status, code in openapi_sources.problem_codes(SOURCES)}
        self.assertEqual(NEVER_ANSWERED - written, set(), "no longer in the sources")
        documented = {f"{status} {code}" for code, one in constants("ProblemCode").items() for status in one["x-status"]}
        self.assert_same(written - NEVER_ANSWERED, documented, PROBLEMS_NOT_MERGED_YET, "answered by the sources")

    def test_the_codes_of_field_errors_are_those_of_the_sources(self):
        written = openapi_sources.field_error_codes({path: text for path, text in SOURCES.items()
                                                     if not path.startswith("daemon/")})
        self.assert_same(set(written) - NEVER_ANSWERED_WORDS, set(constants("FieldErrorCode")),
                         FIELD_ERRORS_NOT_MERGED_YET, "noted by the sources")

    def test_the_reasons_of_a_rejection_are_those_of_the_verifier(self):
        written = openapi_sources.rejection_reasons(SOURCES) - {"ok"}
        self.assert_same(written, set(constants("RejectionReason")), set(), "in core/verify_reason.hpp")

    def test_operations_have_names_of_their_own_and_every_component_is_used(self):
        names = [operation["operationId"] for _, operation in operations()]
        self.assertEqual(sorted(names), sorted(set(names)))
        text = json.dumps(DOCUMENT)
        unused = [f"#/components/{kind}/{name}" for kind in ("schemas", "parameters", "headers", "responses")
                  for name in DOCUMENT["components"][kind] if f'"#/components/{kind}/{name}"' not in text]
        self.assertEqual(unused, [])


class reader(unittest.TestCase):
    """What the checks above rest on."""

    def test_comments_and_raw_strings_are_no_sources(self):
        text = 'a /* "x" */ "http://b" // {404, "not-there"}\nR"({"c":")" \'"\' "d"'
        self.assertEqual(openapi_sources.without_comments(text), 'a  "http://b" \n"" \'"\' "d"')

    def test_routes_are_read_whatever_their_layout(self):
        text = '{"GET", "/a/{b…}", access::viewer, one},\n{\n "POST",\n "/c", access::admin,\n [](int) {}}'
        routes, unread = openapi_sources.routes({"net/x_routes.cpp": text})
        self.assertEqual((routes, unread), ({("GET", "/a/{b}"): "viewer", ("POST", "/c"): "admin"}, []))

    def test_a_route_in_another_form_is_told(self):
        _, unread = openapi_sources.routes({"net/x_routes.cpp": '{get_word, "/a", access::viewer, one}'})
        self.assertEqual(len(unread), 1)

    def test_codes_are_read_with_their_statuses_and_without(self):
        text = '''return {409, "slug-taken", "the slug " + slug}; refuse({422,
          "validation-failed", "no", {{"/a", code, detail}}}); reader.error("url", "https-required", "only that");
          add_field_error(errors, pointer, "bad-format", std::move(each.detail)); wrong("unfit", "it is not fit");
          headers.emplace_back("x-y", "a b"); not_supported("later", "in another version"); {503, fixed, "a b"};'''
        sources = {"a.cpp": text}
        self.assertEqual(set(openapi_sources.problem_codes(sources)), {(409, "slug-taken"), (422, "validation-failed")})
        self.assertEqual(set(openapi_sources.field_error_codes(sources)), {"https-required", "bad-format", "unfit"})


if __name__ == "__main__":
    unittest.main()
