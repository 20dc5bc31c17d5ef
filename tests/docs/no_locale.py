#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Nothing of the library prints or reads a double by the locale: a program may have called setlocale(), and then a comma
stands where JSON and Prometheus have a point.

    no_locale.py SOURCE_ROOT
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(sys.argv[1])
# Where the locale's point is taken out again.
TAKEN_OUT = {("lib/edge/http/exposition.c", "%.15g")}
STRING = re.compile(r'"(?:[^"\\\n]|\\.)*"')
DOUBLE = re.compile(r"%(?!\d[A-F])[-+ #0]*(?:\d+|\*)?(?:\.(?:\d+|\*)?)?L?[aAeEfFgG]")  # %2F is of a URL
READS = re.compile(r"\b(?:strtod|strtof|strtold|atof)\(")

seen, faults = set(), []
for path in sorted((ROOT / "lib").rglob("*.[ch]")):
    name = str(path.relative_to(ROOT))
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        for string in STRING.findall(line):
            for conversion in DOUBLE.findall(string.replace("%%", "")):
                if (name, conversion) in TAKEN_OUT:
                    seen.add((name, conversion))
                else:
                    faults.append(f"{name}:{number}: {conversion} depends on the locale")
        call = READS.search(STRING.sub('""', line))
        if call and not line.lstrip().startswith(("/*", "*")):
            faults.append(f"{name}:{number}: {call.group(0)}) depends on the locale")
faults += [f"{name}: there is no {conversion} any more" for name, conversion in TAKEN_OUT - seen]
print("\n".join(faults) or "no double goes through the locale")
sys.exit(bool(faults))
