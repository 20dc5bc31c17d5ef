#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""embed.py openapi.json out.inc: the description without its blanks, as a C array. openapi.c serves it."""
import json
import sys


def main(json_path, out_path):
    with open(json_path, encoding="utf-8") as file:
        data = json.dumps(json.load(file), separators=(",", ":")).encode("ascii") + b"\n"
    with open(out_path, "w", encoding="ascii") as out:
        out.write(f"/* made by embed.py */\nstatic const unsigned char openapi_json[{len(data)}] = {{\n")
        for i in range(0, len(data), 32):
            out.write(",".join(map(str, data[i : i + 32])) + ",\n")
        out.write("};\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
