#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Each public header compiles alone, as C11 and C++17, with every compiler there is, without a warning.

usage: headers.py INCLUDE_DIR HEADER...
"""
import os
import shutil
import subprocess
import sys

include, headers = sys.argv[1], sys.argv[2:]
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror", "-fsyntax-only"]
compilers = [(name, flags) for name, flags in [
    ("gcc", ["-x", "c", "-std=c11"]), ("clang", ["-x", "c", "-std=c11"]),
    ("g++", ["-x", "c++", "-std=c++17"]), ("clang++", ["-x", "c++", "-std=c++17"])] if shutil.which(name)]
if not compilers:
    print("SKIP: no compiler")
    sys.exit(77)
failed = 0
for name, flags in compilers:
    for header in headers:
        # Twice, for the guards.
        text = "#include <herd/%s>\n" % os.path.basename(header) * 2
        done = subprocess.run([name, *flags, *WARNINGS, "-I", include, "-"], input=text, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode != 0:
            failed = 1
            print(name, header, "\n" + done.stdout)
print(len(headers), "headers with", ", ".join(name for name, _ in compilers))
sys.exit(failed)
