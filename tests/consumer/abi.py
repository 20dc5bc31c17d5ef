#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The shared library against the interface it had when it was last released (libherd.abi, beside this file).

What was there must stay as it was; what is new is fine. Until CHANGELOG.md has a version with a date, a change
only skips the test, visibly. An incompatible change raises the soversion in
lib/meson.build and makes the baseline anew: abi.py --update LIBRARY INCLUDE_DIR.

usage: abi.py [--update] LIBRARY INCLUDE_DIR
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

update = sys.argv[1] == "--update"
library, include = sys.argv[-2:]
baseline = os.path.join(os.path.dirname(os.path.abspath(__file__)), "libherd.abi")
changelog = os.path.join(os.path.dirname(baseline), "../../CHANGELOG.md")
released = re.search(r"^## [\d.]+, \d{4}-", open(changelog, encoding="utf-8").read(), re.M)
for tool in ("abidw", "abidiff"):
    if not shutil.which(tool):
        print("SKIP:", tool, "(package abigail-tools) is not installed")
        sys.exit(77)


def describe(out):
    done = subprocess.run(["abidw", "--headers-dir", include, "--drop-private-types", "--no-corpus-path", "--no-comp-dir-path",
                           "--no-show-locs", "--type-id-style", "hash", "--out-file", out, os.path.realpath(library)],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0 or not os.path.getsize(out):
        sys.exit("abidw: " + done.stdout)


if update:
    describe(baseline)
    sys.exit(0)
with tempfile.NamedTemporaryFile(suffix=".abi") as now:
    describe(now.name)
    if "elf-function-symbols" not in open(now.name).read() or "<function-decl" not in open(now.name).read():
        print("SKIP: the library has no debug information")
        sys.exit(77)
    done = subprocess.run(["abidiff", "--no-show-locs", baseline, now.name], stdout=subprocess.PIPE, text=True)
print(done.stdout)
# Bit 2: there are changes; bit 3: they are incompatible for certain. New functions alone set bit 2.
INCOMPATIBLE, ERROR = 8, 1
changed_types = "Changed function" in done.stdout or "some indirect sub-type change" in done.stdout
if done.returncode & (INCOMPATIBLE | ERROR) or changed_types:
    if not released:
        print("SKIP: the interface differs from the baseline; no version was released yet, so it breaks nobody.")
        sys.exit(77)
    print("The interface changed. Was that meant? See CONTRIBUTING.md, \"Compatibility\".")
    sys.exit(1)
