#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Puts what `run --json` kept into a page of results; what people wrote around it stays.

    page.py RESULTS.json RESULTS.md

A part's tables stand between the lines `<!-- NAME -->` and `<!-- /NAME -->`; `machine` and `targets` are such
names too. Pictures are plot.py's, in plots/ beside the page. A part that was not measured stays as it was."""
import io
import json
import os
import re
import sys

import report


def fenced(write):
    out = io.StringIO()
    write(out)
    return f"```\n{out.getvalue().strip(chr(10))}\n```\n"


def part_of(name, kept):
    """A part as it was when it was measured."""
    part = report.Part(name, kept["about"], kept["x"], kept["y"])
    part.rows = {(row["subject"], row["x"]): row for row in kept["rows"]}
    part.targets, part.notes, part.skipped = kept["targets"], kept["notes"], kept["skipped"]
    part.others_expected = kept.get("others_expected", False)
    return part


def blocks(results, bases):
    about = results["machine"]
    inputs = results["inputs"]
    yield "machine", (f"{about.get('cpu', 'unknown CPU')}, {about['cores']} cores, {about['memory_gib']} GiB, "
                      f"{about['system']}, kernel {about['kernel']}, virtual: {about['virtual']}; commit "
                      f"{results['commit']}; {about['date']}; {inputs['repetitions']} repetitions.\n")
    targets = [target for kept in results["parts"].values() for target in kept.get("targets", [])]
    yield "targets", fenced(lambda out: report.print_targets(targets, out))
    for name, kept in results["parts"].items():
        if "rows" not in kept:
            continue
        pictures = [f"plots/{picture}.svg" for picture in (name, f"{name}-latency", f"{name}-cpu")]
        yield name, "".join([fenced(lambda out: part_of(name, kept).print(bases.get(name), out))]
                            + [f"\n![{kept['about']}]({picture})\n" for picture in pictures])


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: page.py RESULTS.json RESULTS.md")
    with open(sys.argv[1], encoding="utf-8") as file:
        results = json.load(file)
    with open(sys.argv[2], encoding="utf-8") as file:
        page = file.read()
    here = os.path.dirname(os.path.abspath(sys.argv[2]))
    for name, text in blocks(results, results["bases"]):
        there = [line for line in text.splitlines(True)
                 if not line.startswith("![") or os.path.exists(os.path.join(here, line[line.index("(") + 1:-2]))]
        pattern = re.compile(f"(<!-- {re.escape(name)} -->\n).*?(<!-- /{re.escape(name)} -->\n)", re.DOTALL)
        page, found = pattern.subn(lambda match, there=there: match[1] + "".join(there).rstrip("\n") + "\n" + match[2], page)
        if not found:
            print(f"page.py: the page has no place for {name}", file=sys.stderr)
    with open(sys.argv[2], "w", encoding="utf-8") as file:
        file.write(page)


main()
