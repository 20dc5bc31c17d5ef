#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""embed.py cities.tsv countries.tsv out.inc: the tables as two C arrays.

A city is: geonameid less the one before it (base 128, low group first, high bit: more follows), number
of its country (1 byte), (latitude + 90) * 36000001 + (longitude + 180) in units of 1e-5 degree (7 bytes,
low first), length of its name (1 byte), the name in UTF-8. gazetteer.c reads it.
"""
import sys


def e5(text):
    sign = -1 if text.startswith("-") else 1
    whole, _, fraction = text.lstrip("-").partition(".")
    return sign * (int(whole) * 100000 + int((fraction + "00000")[:5]))


def array(out, name, data):
    out.write(f"static const unsigned char {name}[{len(data)}] = {{\n")
    for i in range(0, len(data), 32):
        out.write(",".join(map(str, data[i : i + 32])) + ",\n")
    out.write("};\n")


def main(cities_path, countries_path, out_path):
    countries = [line.rstrip("\n").split("\t") for line in open(countries_path, encoding="utf-8")]
    number = {code: i for i, (code, _) in enumerate(countries)}
    cities, last = bytearray(), 0
    for line in open(cities_path, encoding="utf-8"):
        ident, country, lat, lon, name = line.rstrip("\n").split("\t")
        delta, last = int(ident) - last, int(ident)
        while delta >= 128:
            cities.append(delta & 127 | 128)
            delta >>= 7
        cities.append(delta)
        cities.append(number[country])
        cities += ((e5(lat) + 9000000) * 36000001 + e5(lon) + 18000000).to_bytes(7, "little")
        name = name.encode()
        cities.append(len(name))
        cities += name
    with open(out_path, "w", encoding="ascii") as out:
        out.write("/* made by embed.py from GeoNames data, CC BY 4.0 */\n")
        array(out, "gazetteer_cities", cities)
        out.write(f"static const struct {{ char code[3]; const char *name; }} gazetteer_countries[{len(countries)}] = {{\n")
        for code, name in countries:
            escaped = "".join(c if " " <= c <= "~" and c not in '"\\' else "".join(f'\\{b:03o}' for b in c.encode()) for c in name)
            out.write(f'{{"{code}", "{escaped}"}},\n')
        out.write("};\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
