"""What the sources say of the HTTP interface: its routes, and the codes of its problems.

It reads the text, for the tables and the literals are written in few forms only, and says what it cannot read.
"""

import re

# A raw string, a string, a character, or a comment: in that order, so that quotes in one do not begin another.
TOKEN = re.compile(r'R"([^()\\\s]{0,16})\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])\'|//[^\n]*|/\*.*?\*/', re.DOTALL)

CODE = r'"([a-z][a-z0-9]*(?:-[a-z0-9]+)*)"'
ROUTE = re.compile(r'\{\s*"(GET|POST|PUT|PATCH|DELETE)"\s*,\s*"(/[^"]*)"\s*,\s*access::(\w+)\s*,')
# `{404, "not-found", …`, whatever stands before the brace.
PROBLEM = re.compile(r"\b([45]\d\d)\s*,\s*" + CODE)
# A word behind another argument and before what it says to people: a sentence, or a text made elsewhere.
FIELD_ERROR = re.compile(r"(?:(?P<status>\b[45]\d\d)\s*,|,|\bwrong\()\s*" + CODE +
                         r'\s*,\s*(?:"(?!select )[^"\n]* [^"\n]*"|std::move\(\w+(?:\.detail)?\)|std::string\{detail\})')
REASON = re.compile(r"case verify_reason::\w+:\s*return " + CODE)


def without_comments(text):
    """The text without comments; raw strings, which hold whole documents, are left empty."""
    def kept(match):
        token = match.group(0)
        return '""' if token.startswith("R") else "" if token.startswith("/") else token

    return TOKEN.sub(kept, text)


def read(root, folders):
    """{path: text without comments}"""
    return {path.relative_to(root).as_posix(): without_comments(path.read_text(encoding="utf-8"))
            for folder in folders for path in sorted((root / folder).rglob("*.[ch]pp"))}


def routes(sources):
    """({(method, path): access}, what cannot be read); `{name…}` is `{name}`."""
    found, unread = {}, []
    for path, text in sources.items():
        table = ROUTE.findall(text)
        if path.endswith("_routes.cpp") and len(table) != len(re.findall(r"access::\w+\s*,", text)):
            unread.append(f"{path}: a route is not written as {{\"METHOD\", \"/path\", access::…, …}}")
        found.update({(method, pattern.replace("…", "")): access for method, pattern, access in table})
    return found, unread


def problem_codes(sources):
    """{(status, code): [paths]}"""
    found = {}
    for path, text in sources.items():
        for status, code in PROBLEM.findall(text):
            found.setdefault((int(status), code), []).append(path)
    return found


def field_error_codes(sources):
    """{code: [paths]}: codes that come with no status."""
    found = {}
    for path, text in sources.items():
        for match in FIELD_ERROR.finditer(text):
            if not match.group("status"):
                found.setdefault(match.group(2), []).append(path)
    return found


def rejection_reasons(sources):
    return {code for text in sources.values() for code in REASON.findall(text)}
