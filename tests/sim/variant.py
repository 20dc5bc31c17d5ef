# SPDX-License-Identifier: MIT
"""Copies lib/core with edits, so that the shipped sources need not know of them.

    variant.py CORE --list              the files, one a line
    variant.py CORE OUT EDIT...         the copies, edited

An edit file says in its first line what it is for; then, as often as wanted:

    @@ FILE
    - old line(s)
    + new line(s)

The old lines must occur in FILE exactly once, with as many blanks between words as they like: when the sources move
on, the edit fails and has to move too.
"""
import os
import re
import sys


def core_files(core):
    """{name: path}. The copies lie beside each other: no two names are the same."""
    return {name: os.path.join(directory, name) for directory, _, names in sorted(os.walk(core))
            for name in sorted(names) if name.endswith((".c", ".h"))}


def read_edit(path):
    """What it is for, and [(file, old, new)]."""
    with open(path, encoding="ascii") as f:
        what, *lines = f.read().splitlines()
    edits = []
    for line in lines:
        if line.startswith("@@ "):
            edits.append((line[3:].strip(), [], []))
        elif line[:1] in ("-", "+") and edits:
            edits[-1][1 if line[0] == "-" else 2].append(line[2:])
        elif line.strip():
            raise SystemExit(f"{path}: not understood: {line}")
    return what, [(name, "\n".join(old) + "\n", "\n".join(new) + "\n" if new else "") for name, old, new in edits]


def apply(sources, path):
    """Edits {name: text} in place; returns the names of the files changed."""
    what, edits = read_edit(path)
    if not edits:
        raise SystemExit(f"{path}: edits nothing")
    for name, old, new in edits:
        pattern = "^" + re.sub(r"(\\ )+", " +", re.escape(old))
        found = re.findall(pattern, sources.get(name, ""), re.MULTILINE)
        if len(found) != 1:
            raise SystemExit(f"{path}: {name} has these lines {len(found)} times, not once:\n{old}")
        sources[name] = re.sub(pattern, lambda _: new, sources[name], flags=re.MULTILINE)
    return {name for name, _, _ in edits}


def read_core(core):
    sources = {}
    for name, path in core_files(core).items():
        with open(path, encoding="utf-8") as f:
            sources[name] = re.sub(r'#include "(\.\./)+[a-z]+/', '#include "', f.read())
    return sources


def write_core(sources, out, names=None):
    os.makedirs(out, exist_ok=True)
    for name in names or sources:
        with open(os.path.join(out, name), "w", encoding="utf-8") as f:
            f.write(sources[name])


def main():
    core, rest = sys.argv[1], sys.argv[2:]
    if rest == ["--list"]:
        print("\n".join(core_files(core)))
        return
    sources = read_core(core)
    for path in rest[1:]:
        apply(sources, path)
    write_core(sources, rest[0])


if __name__ == "__main__":
    main()
