#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The shared library exports what the headers declare: no more, no less.

usage: symbols.py LIBRARY HEADER...
"""
import re
import subprocess
import sys

library, headers = sys.argv[1], sys.argv[2:]
declared = set()
for header in headers:
    text = re.sub(r"/\*.*?\*/", "", open(header, encoding="utf-8").read(), flags=re.S)
    declared |= set(re.findall(r"^HERD_API\b[^;(]*?\b(herd_\w+)\s*\(", text, re.M))
exported = set()
for line in subprocess.run(["nm", "-D", "--defined-only", library], capture_output=True, text=True, check=True).stdout.splitlines():
    name = line.split()[-1].split("@")[0]
    if not re.match(r"_(init|fini)$|__(asan|ubsan|odr_asan|sancov|start|stop|lsan)|_?_?(llvm|gcov)", name):
        exported.add(name)
for name in sorted(declared - exported):
    print("declared, not exported:", name)
for name in sorted(exported - declared):
    print("exported, not declared:", name)
print(len(declared), "functions")
sys.exit(declared != exported or not declared)
