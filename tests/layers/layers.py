#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks, from the symbol tables of the objects, that folders of lib and files within a folder call downward only.

usage: layers.py ORDER SOURCES LIBRARY...            the test
       layers.py --show FOLDER ORDER SOURCES LIBRARY...   what the files of one folder use, its circles, an order

ORDER is order.txt, SOURCES the directory lib/ that its paths begin in, each LIBRARY a static library.
"""
import os
import re
import subprocess
import sys


def read_order(path):
    """{section: [[name, ...] for each level]}, the folders that are still to be ordered."""
    order, unordered, levels = {}, set(), None
    for number, line in enumerate(open(path, encoding="utf-8"), 1):
        line = line.split("#")[0].rstrip()
        if not line:
            continue
        if line[0].isspace():
            if levels is None:
                sys.exit(f"{path}:{number}: a level without a section")
            levels.append(line.split())
            continue
        section, _, rest = line.partition(":")
        if section in order or section in unordered:
            sys.exit(f"{path}:{number}: {section} a second time")
        if rest.strip() == "unordered":
            unordered.add(section)
            levels = None
        elif rest.strip():
            sys.exit(f"{path}:{number}: not understood")
        else:
            levels = order[section] = []
    return order, unordered


def sources_by_object(sources):
    """What meson names the object of each source: {library folder/object: (folder, file)}."""
    known = {}
    for place in ("core", "places", "trackers", "edge", "database/postgres", "database/redis"):
        top, library = os.path.join(sources, place), os.path.basename(place)
        for folder, _, names in os.walk(top):
            for name in (n for n in names if n.endswith(".c")):
                inside = os.path.relpath(os.path.join(folder, name), top)
                where = os.path.normpath(os.path.join(place, os.path.dirname(inside)))
                known[library, inside.replace(os.sep, "_") + ".o"] = (where, name[:-2])
    return known


def uses(libraries, known):
    """{(folder, file): {(folder, file) that defines what it uses: {symbol}}}"""
    defined, wanted = {}, {}
    for library in libraries:
        name = os.path.basename(os.path.dirname(library))
        # -A: each line begins with the library and the object.
        out = subprocess.run(["nm", "-A", library], capture_output=True, text=True, check=True).stdout
        for line in out.splitlines():
            found = re.match(r"(.*?\.o):\s*(?:[0-9a-f]+)?\s+([A-Za-z]) (\S+)$", line)
            if not found:
                continue
            object_name = re.split(r"[:/]", found[1])[-1]
            source = known.get((name, object_name))
            if not source:
                sys.exit(f"{library}: {object_name}: of which source?")
            wanted.setdefault(source, set())
            if found[2] == "U":
                wanted[source].add(found[3])
            elif found[2] in "TDBRCVW":
                defined[found[3]] = source
    graph = {}
    for source, symbols in wanted.items():
        graph[source] = {}
        for symbol in symbols:
            target = defined.get(symbol)
            if target and target != source:
                graph[source].setdefault(target, set()).add(symbol)
    return graph


def violations(order, graph):
    """Lines that tell of each use that does not go to a level further up in the list, and of what is in no list."""
    level = {section: {name: at for at, names in enumerate(levels) for name in names}
             for section, levels in order.items()}
    found = []
    for (folder, file), targets in sorted(graph.items()):
        if folder not in level["folders"]:
            found.append(f"{folder}: not in the list of folders")
        if folder in level and file not in level[folder]:
            found.append(f"{folder}/{file}.c: not in the list of its folder")
        for (to_folder, to_file), symbols in sorted(targets.items()):
            if folder == to_folder:
                where, user, used = folder, file, to_file
            else:
                where, user, used = "folders", folder, to_folder
            at = level.get(where)
            if at is None or user not in at or used not in at or at[used] < at[user]:
                continue
            found.append(f"{folder}/{file}.c uses {to_folder}/{to_file}.c: {', '.join(sorted(symbols))}")
    for section, names in level.items():
        present = {folder for folder, _ in graph} if section == "folders" else \
                  {file for folder, file in graph if folder == section}
        # An adapter is built where its database's client library is found.
        optional = {name for name in names if name.startswith("database/")} if section == "folders" else \
            set(names) if section.startswith("database/") and not present else set()
        found += [f"{section}: {name} is listed, but not there" for name in sorted(set(names) - present - optional)]
    return sorted(set(found))


def circles(files, graph):
    """The strongly connected sets of files, those that use nothing else first (Tarjan)."""
    index, low, stack, result = {}, {}, [], []

    def visit(at):
        index[at] = low[at] = len(index)
        stack.append(at)
        for to in sorted(graph[at]):
            if to not in files:
                continue
            if to not in index:
                visit(to)
                low[at] = min(low[at], low[to])
            elif to in stack:
                low[at] = min(low[at], index[to])
        if low[at] == index[at]:
            ring = []
            while not ring or ring[-1] != at:
                ring.append(stack.pop())
            result.append(sorted(ring))

    for at in sorted(files):
        if at not in index:
            visit(at)
    return result


def levels_of(files, graph):
    """An order of files without circles: [[file, ...] for each level]."""
    depth = {}
    for (at,) in circles(files, graph):
        depth[at] = 1 + max((depth[to] for to in graph[at] if to in files), default=-1)
    return [sorted(file for (_, file), d in depth.items() if d == n) for n in range(max(depth.values()) + 1)]


def show(folder, graph):
    files = {source for source in graph if source[0] == folder}
    for source in sorted(files):
        for target, symbols in sorted(graph[source].items()):
            if target in files:
                print(f"{source[1]} -> {target[1]}: {', '.join(sorted(symbols))}")
    rings = [ring for ring in circles(files, graph) if len(ring) > 1]
    for ring in rings:
        print("circle:", ", ".join(file for _, file in ring))
    if files and not rings:
        print(f"\n{folder}:")
        for level in levels_of(files, graph):
            print("    " + " ".join(level))


def main():
    args = sys.argv[1:]
    folder = args.pop(0) and args.pop(0) if args[:1] == ["--show"] else None
    path, sources, libraries = args[0], args[1], args[2:]
    order, unordered = read_order(path)
    graph = uses(libraries, sources_by_object(sources))
    if folder:
        return show(folder, graph)

    found = violations(order, graph)
    for folder in sorted({folder for folder, _ in graph} - set(order) - unordered):
        found.append(f"{folder}: its files are in no order")
    for folder in sorted(unordered):
        files = {source for source in graph if source[0] == folder}
        rings = [ring for ring in circles(files, graph) if len(ring) > 1]
        print(f"{folder}: {len(files)} files, not in an order yet; " +
              (f"{sum(map(len, rings))} of them call each other in circles" if rings else "without circles"))
    # A test that cannot fail proves nothing: upside down, the same lists must not hold.
    upside_down = {section: levels[::-1] for section, levels in order.items()}
    if not violations(upside_down, graph):
        found.append("the order holds upside down too: no uses were found")
    print("\n".join(found))
    print(sum(len(targets) for targets in graph.values()), "uses between", len(graph), "files,", len(found), "wrong")
    return bool(found)


sys.exit(main())
