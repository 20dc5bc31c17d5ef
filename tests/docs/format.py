# SPDX-License-Identifier: MIT
"""Every C file looks as .clang-format says.

    format.py ROOT

Other versions of clang-format see some lines otherwise: with another one than Debian 12's nothing is said."""
import os
import re
import subprocess
import sys

VERSION = 14
SKIPPED = 77


def sources(root):
    for top in ("include", "lib", "bin", "examples", "tests"):
        for directory, below, names in os.walk(os.path.join(root, top)):
            below[:] = [name for name in below if not name.startswith((".", "build")) and name != "node_modules"]
            yield from (os.path.join(directory, name) for name in sorted(names) if name.endswith((".c", ".h")))


def main():
    try:
        told = subprocess.run(["clang-format", "--version"], capture_output=True, text=True, check=True).stdout
    except OSError:
        told = "no clang-format"
    if re.search(rf"version {VERSION}\b", told) is None:
        print(f"skipped: wants clang-format {VERSION}, here is: {told.strip()}")
        return SKIPPED
    files = list(sources(sys.argv[1]))
    if not files:
        print(f"no sources in {sys.argv[1]}")
        return 1
    print(len(files), "files")
    return subprocess.run(["clang-format", "--dry-run", "--Werror", "--ferror-limit=20", *files], check=False).returncode


sys.exit(main())
