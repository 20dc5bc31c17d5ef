#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compares instructions counted in one run, by whatever compiler and on whatever processor: what is switched on and looked at
by nobody costs a report next to nothing, and a scrape costs the same however many records there are.

    tests/bench/ratios.py build/test-plain/tests/bench/instructions-of
"""
import importlib.machinery
import importlib.util
import os
import shutil
import sys
import tempfile

sys.dont_write_bytecode = True
EYES_MAX = 1.03
RECORDS_MAX = 1.01
SCRAPE_MAX = 3_000_000  # a millisecond at 3e9 instructions a second


def load():
    loader = importlib.machinery.SourceFileLoader(
        "instructions", os.path.join(os.path.dirname(os.path.abspath(__file__)), "instructions"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("instructions", loader))
    loader.exec_module(module)
    return module


def main():
    instructions = load()
    if not shutil.which("valgrind"):
        instructions.skip("no valgrind")
    if "b_sanitize none" not in instructions.output(sys.argv[1], "--build"):
        instructions.skip("built with sanitizers: valgrind does not run that")
    with tempfile.TemporaryDirectory(prefix="herd-ratios.") as directory:
        figures = {kind: instructions.counted(sys.argv[1], kind, directory)[kind]
                   for kind in ("iamat-socket", "iamat-eyes", "scrape", "scrape-100000")}
    for kind, figure in figures.items():
        print(f"{kind:20}{figure:9}  {instructions.MEANING[kind]}")
    wrong = [what for what, good in (
        (f"with everything on IAMAT costs more than {EYES_MAX} times as much",
         figures["iamat-eyes"] <= EYES_MAX * figures["iamat-socket"]),
        ("a scrape does more where there are more records",
         figures["scrape-100000"] <= RECORDS_MAX * figures["scrape"]),
        (f"a scrape takes more than {SCRAPE_MAX} instructions", figures["scrape"] <= SCRAPE_MAX)) if not good]
    print("\n".join(wrong) or "as it should be")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
