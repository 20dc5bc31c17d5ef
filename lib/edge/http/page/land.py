#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""land.py land-110m.json >land.svgpath: the outline of the land, for the map of the page. Run by hand; its output is kept.

The data is Natural Earth's land at 1:110 million, version 4.1.0, which is in the public domain (naturalearthdata.com). It
is taken as TopoJSON from the npm package world-atlas 2.0.2, file land-110m.json, SHA-256
ead5f68119c49a9250902e7da303bcb209341bbb8fefe7369a439b48b704658a. The output is an SVG path in tenths of a degree, x east, y
south, each point relative to the one before.
"""
import json
import sys

WIDTH = 120  # of a line of the output


def decode_arcs(topology):
    """Arcs as lists of (lon, lat) in degrees: TopoJSON has them quantized, as differences."""
    scale, translate = topology["transform"]["scale"], topology["transform"]["translate"]
    arcs = []
    for arc in topology["arcs"]:
        x = y = 0
        points = []
        for dx, dy in arc:
            x, y = x + dx, y + dy
            points.append((x * scale[0] + translate[0], y * scale[1] + translate[1]))
        arcs.append(points)
    return arcs


def ring_of(indexes, arcs):
    """The points of a ring: arcs one behind the other, ~index for one that is taken backwards; joints are there twice."""
    ring = []
    for index in indexes:
        arc = arcs[index] if index >= 0 else arcs[~index][::-1]
        ring += arc[1:] if ring else arc
    return ring


def unwrap(ring):
    """The ring without its jumps across 180 degrees: longitudes go on. One round the pole is closed along it."""
    points = [ring[0]]
    for lon, lat in ring[1:]:
        points.append((lon + 360 * round((points[-1][0] - lon) / 360), lat))
    if abs(points[-1][0] - points[0][0]) > 180:
        points += [(points[-1][0], -90), (points[0][0], -90), points[0]]
    return points


def path_of(ring):
    """A subpath without points that fall on the one before; empty for what is no area any more."""
    points = [(round(lon * 10), round(-lat * 10)) for lon, lat in unwrap(ring)]
    points = [point for i, point in enumerate(points) if i == 0 or point != points[i - 1]]
    if len(points) < 4:
        return ""
    steps = [(x - points[i - 1][0], y - points[i - 1][1]) for i, (x, y) in enumerate(points) if i]
    # The last point is the first: z draws that line.
    numbers = [number for step in steps[:-1] for number in step]
    text = "".join(str(number) if number < 0 or i == 0 else f" {number}" for i, number in enumerate(numbers))
    return f"M{points[0][0]} {points[0][1]}l{text}z"


def main(path):
    with open(path, encoding="utf-8") as file:
        topology = json.load(file)
    arcs = decode_arcs(topology)
    land = topology["objects"]["land"]
    polygons = [polygon for one in land.get("geometries", [land]) for polygon in one["arcs"]]
    for polygon in polygons:
        for indexes in polygon:
            text = path_of(ring_of(indexes, arcs))
            while text:
                # A line ends before a blank: white space separates numbers anyway.
                end = len(text) if len(text) <= WIDTH else text.rfind(" ", 0, WIDTH)
                print(text[:end])
                text = text[end:].lstrip()


if __name__ == "__main__":
    main(*sys.argv[1:])
