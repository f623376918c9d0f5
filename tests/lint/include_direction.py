#!/usr/bin/env python3
"""Checks that every #include of the project keeps to the floors of the house.

From the ground: core <- config <- actors <- persistence, net <- daemon; tests may include everything. persistence and
net never include each other, and of actors/ only its plain ports, so that sockets and SQL are reached by message only.
Libraries have a floor as well: SQL in persistence, sockets in net, actors in actors, and no logging in core.

Usage: include_direction.py [ROOT]; prints one line a violation, exits with 1 if there is any.
"""

import pathlib
import re
import sys

FOLDERS = ("core", "config", "actors", "persistence", "net", "daemon")

# Which folders a folder may include, itself among them.
FLOORS = {
    "core": {"core"},
    "config": {"core", "config"},
    "actors": {"core", "config", "actors"},
    "persistence": {"core", "config", "actors", "persistence"},
    "net": {"core", "config", "actors", "net"},
    "daemon": set(FOLDERS),
    "tests": set(FOLDERS) | {"tests"},
}

# All that the two edges see of actors/: abstract classes and plain structs, no actor.
PORTS = {
    f"actors/{name}.hpp"
    for name in ("interfaces", "store", "sender", "ingest", "ingest_verdict", "management_store", "operations_store", "withdrawal",
                 "inspection", "clock")
}

# Where a library may be included. The first pattern that matches decides; what matches none is the standard library or
# the system, allowed everywhere. Entries are folders, files, or files without their extension.
CRYPTO_OF_CORE = {"core/signature.cpp", "core/secret_box.cpp", "core/api_key.cpp"}
LIBRARIES = [
    ("CAF", r"caf/", {"actors", "daemon"}),
    ("libpqxx and libpq", r"pqxx/|pqxx$|libpq-fe\.h|libpq/|postgres_ext\.h", {"persistence"}),
    ("Asio and Beast", r"boost/(asio|beast)(/|\.hpp)", {"net", "daemon/main.cpp", "daemon/wiring"}),
    ("OpenSSL", r"openssl/", CRYPTO_OF_CORE | {"net", "daemon"}),
    ("spdlog", r"(spdlog|fmt)/", {"config", "actors", "persistence", "net", "daemon"}),
    ("toml++", r"toml\+\+/", {"config"}),
    ("CLI11", r"CLI/", {"daemon"}),
    ("Prometheus", r"prometheus/", {"net"}),
    ("c-ares", r"ares\.h|ares_", {"net"}),
    ("libjwt", r"jwt\.h", {"net"}),
    ("zlib", r"zlib\.h", {"net"}),
    # boost::system::result stands in for std::expected, which C++20 does not have; headers only, no I/O.
    ("Boost.System", r"boost/system/", set(FOLDERS)),
    # core reads JSON bodies through a view of its own; no other file there sees the library.
    ("Boost.JSON", r"boost/json(/|\.hpp)", {"core/json_view.cpp", "config", "actors", "persistence", "net", "daemon"}),
    ("Boost", r"boost/", {"config", "actors", "persistence", "net", "daemon"}),
]

# An include of its own makes no sense in a comment or a string, so reading line by line is enough.
INCLUDE = re.compile(r'^\s*#\s*(?:include|include_next|import)\s*(?:"([^"]+)"|<([^>]+)>|(\S+))')
SUFFIXES = {".cpp", ".hpp", ".h", ".cc", ".ipp", ".inc"}


def allowed_in(path, places):
    stem = str(pathlib.PurePosixPath(path).with_suffix(""))
    return any(place in (path, stem) or path.startswith(place + "/") for place in places)


def check_library(path, header):
    for name, pattern, places in LIBRARIES:
        if re.match(pattern, header):
            if allowed_in(path, places):
                return None
            return f"{name} (<{header}>) may not be included here"
    return None


def check_project_header(path, header, root):
    folder, target = path.split("/")[0], header.split("/")[0]
    if "/" not in header or target not in FLOORS or not (root / header).is_file():
        return f'"{header}" is no project header; includes are relative to the root'
    if ".." in header.split("/"):
        return f'"{header}" leaves its folder by ..'
    if target not in FLOORS[folder]:
        return f'{folder} may not include {target} ("{header}")'
    if folder in ("persistence", "net") and target == "actors" and header not in PORTS:
        return f'{folder} may include only the ports of actors, not "{header}"'
    return None


def check_file(path, text, root):
    """Yields "path:line: what is wrong" for each include of `text` that does not belong in `path`."""
    first = None
    for number, line in enumerate(text.splitlines(), start=1):
        match = INCLUDE.match(line)
        if not match:
            continue
        quoted, angled, computed = match.groups()
        first = first or (quoted or angled or computed)
        problem = None
        if computed:
            problem = f"{computed}: a computed include cannot be checked"
        elif quoted:
            problem = check_project_header(path, quoted, root)
        elif angled.split("/")[0] in FLOORS and (root / angled).is_file():
            problem = f"<{angled}> is a project header: write it with quotes"
        elif not path.startswith("tests/"):
            problem = check_library(path, angled)
        if problem:
            yield f"{path}:{number}: {problem}"
    own = str(pathlib.PurePosixPath(path).with_suffix(".hpp"))
    if path.endswith(".cpp") and (root / own).is_file() and first != own:
        yield f'{path}: a .cpp includes its own header first ("{own}")'


def check_tree(root):
    """Returns (number of files read, violations)."""
    violations, files = [], 0
    for folder in FLOORS:
        for source in sorted((root / folder).rglob("*")):
            if source.suffix not in SUFFIXES or "node_modules" in source.parts:
                continue
            files += 1
            path = source.relative_to(root).as_posix()
            violations += check_file(path, source.read_text(encoding="utf-8"), root)
    return files, violations


def main(arguments):
    root = pathlib.Path(arguments[0]) if arguments else pathlib.Path(__file__).resolve().parents[2]
    files, violations = check_tree(root)
    for violation in violations:
        print(violation)
    if files == 0:
        print(f"{root}: no source file found", file=sys.stderr)
        return 1
    print(f"{files} files read, {len(violations)} wrong includes")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
