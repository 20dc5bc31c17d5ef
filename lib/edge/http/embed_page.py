#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""embed_page.py out.inc page.html page.css land.svgpath FILE.js...: the page as C arrays, plain and compressed.

The parts are joined into one document: where page.html says /* page.css */ and /* page.js */, and a script
/* land.svgpath */, those files are put. What is inline in it is named by its hash in the policy that page.c sends with it, so
that a browser runs this script and no other. The same parts make the same bytes.
"""
import base64
import gzip
import hashlib
import pathlib
import sys


def between(text, begin, end):
    """What stands between the only `begin` and the `end` behind it."""
    assert text.count(begin) == 1, f"{text.count(begin)} times {begin}"
    inside = text.split(begin)[1]
    assert inside.count(end) == 1, f"{inside.count(end)} times {end}"
    return inside.split(end)[0]


def put(text, name, part):
    """`text` with `part` in the only place that names it."""
    assert text.count(f"/* {name} */") == 1, name
    return text.replace(f"/* {name} */", part)


def join(paths):
    parts = {path.name: path.read_text(encoding="utf-8") for path in paths}
    scripts = "\n".join(text for name, text in parts.items() if name.endswith(".js"))
    land = parts["land.svgpath"].replace("\n", " ").strip()
    page = put(parts["page.html"], "page.css", parts["page.css"])
    return put(page, "page.js", put('"use strict";\n' + scripts, "land.svgpath", land))


def hash_of(text):
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")


def policy(page):
    """Nothing from elsewhere, nothing inline but what is here, and no markup made from text."""
    return "; ".join([
        "default-src 'none'",
        f"script-src '{hash_of(between(page, '<script>', '</script>'))}'",
        f"style-src '{hash_of(between(page, '<style>', '</style>'))}'",
        "connect-src 'self'", "img-src data:", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
        "require-trusted-types-for 'script'", "trusted-types 'none'",
    ])


def array(name, data):
    lines = [",".join(map(str, data[i : i + 32])) + ",\n" for i in range(0, len(data), 32)]
    return f"static const unsigned char {name}[{len(data)}] = {{\n{''.join(lines)}}};\n"


def main(out_path, *paths):
    page = join([pathlib.Path(path) for path in paths])
    plain = page.encode("utf-8")
    tag = hashlib.sha256(plain).hexdigest()[:16]
    with open(out_path, "w", encoding="ascii") as out:
        out.write("/* made by embed_page.py */\n")
        out.write(f'#define PAGE_POLICY "{policy(page)}"\n')
        out.write(f'#define PAGE_TAG_PLAIN "\\"{tag}\\""\n#define PAGE_TAG_GZIP "\\"{tag}-gzip\\""\n')
        out.write(array("page_plain", plain))
        out.write(array("page_gzip", gzip.compress(plain, 9, mtime=0)))


if __name__ == "__main__":
    main(*sys.argv[1:])
