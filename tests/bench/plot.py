#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Draws what `run --json` kept: one SVG a part, by gnuplot (Debian: gnuplot-nox).

    plot.py RESULTS.json DIRECTORY

Sweeps are lines on logarithmic axes, with a bar from the least to the greatest repetition; comparisons are
dots. A part that was not measured gives no picture."""
import json
import os
import statistics
import subprocess
import sys
import textwrap

# Okabe and Ito: told apart with any kind of colour vision.
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#7F7F7F"]
SWEEPS = ["iamat", "ids", "neighbours", "connections", "memory", "size", "core", "simulated", "whatsat"]
COMPARISONS = {"languages": 128, "herd": 128, "propagation": None, "idle": "opened"}  # which x is shown
APART = {"p50 ns to the farthest": ("size-latency", "p50 ns"),  # rows with a unit of their own
         "CPU ns for an update and node": ("simulated-cpu", "CPU ns")}


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def number(value):
    for size, unit in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.3g}"


def ticks(axis, low, high, nothing=False):
    """1, 2 and 5 of every decade: a logarithmic axis that spans less than a decade has numbers too."""
    places = [mantissa * 10.0**exponent for exponent in range(-3, 13) for mantissa in (1, 2, 5)]
    chosen = [f"'{number(place)}' {place}" for place in places if low <= place <= high and not (nothing and place < 1)]
    chosen += ["'0' 0.5"] if nothing else []
    return f"set {axis}tics ({', '.join(chosen)})"


def head(path, title, values):
    """A frame around all of these values, with room for a number beside the greatest."""
    lines = "\\n".join(textwrap.wrap(title, 90))
    return ["set terminal svg size 800,460 noenhanced font 'sans,12' background 'white'", f"set output {quoted(path)}",
            f'set label 1 "{lines}" at screen 0.5,0.96 center', "set tmargin 5", "set grid lc rgb '#dddddd'",
            "set border 3", "set tics nomirror", f"low = {min(values) / 1.5}", f"high = {max(values) * 3}"]


def sweep(path, title, x_name, y_name, rows):
    """rows: (label, [(x, values)])"""
    heights = [value for _, points in rows for _, values in points for value in values]
    script = head(path, title, heights)
    # A logarithmic axis has no 0: no neighbours at all is drawn where a half would be.
    nothing = any(x == 0 for _, points in rows for x, _ in points)
    rows = [(label, sorted((x or 0.5, values) for x, values in points)) for label, points in rows]
    across = [x for _, points in rows for x, _ in points]
    script += [f"set xlabel {quoted(x_name)}", f"set ylabel {quoted(y_name)}", "set logscale xy",
               f"set xrange [{min(across) / 1.3}:{max(across) * 1.3}]", "set yrange [low:high / 2]",
               "set key outside below left Left reverse maxrows 4", ticks("x", min(across), max(across), nothing),
               ticks("y", min(heights) / 2, max(heights) * 2)]
    curves = []
    for at, (label, points) in enumerate(rows):
        script.append(f"$d{at} << EOD")
        script += [f"{x} {statistics.median(values)} {min(values)} {max(values)}" for x, values in points]
        script.append("EOD")
        colour = COLOURS[at % len(COLOURS)]
        curves.append(f"$d{at} using 1:2:3:4 with yerrorlines lw 2 pt 7 ps 0.6 lc rgb '{colour}' title {quoted(label)}")
    return [*script, "plot " + ", ".join(curves)]


def dots(path, title, y_name, rows):
    """rows: (label, values). Dots and not bars: on a logarithmic axis the length of a bar means nothing."""
    across = [value for _, values in rows for value in values]
    script = head(path, title, across)
    labels = ", ".join(f"{quoted(label)} {at}" for at, (label, _) in enumerate(rows))
    script += [f"set xlabel {quoted(y_name)}", "set logscale x", ticks("x", min(across) / 2, max(across) * 2),
               "unset key",
               f"set yrange [{len(rows) - 0.4}:-0.6]", "set xrange [low:high]", "set lmargin 44",
               f"set ytics ({labels})", "$d << EOD"]
    for at, (_, values) in enumerate(rows):
        median = statistics.median(values)
        script.append(f"{at} {median} {min(values)} {max(values)} {number(median)}")
    return [*script, "EOD", f"plot $d using 2:1:3:4 with xerrorbars lw 2 pt 7 ps 0.9 lc rgb '{COLOURS[0]}', "
                            "$d using 4:1:5 with labels left offset 1,0"]


def draw(script):
    done = subprocess.run(["gnuplot"], input="\n".join(script), text=True, capture_output=True, check=False)
    if done.returncode != 0 or done.stderr.strip():
        sys.exit(f"plot.py: gnuplot: {done.stderr.strip()}")


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: plot.py RESULTS.json DIRECTORY")
    with open(sys.argv[1], encoding="utf-8") as file:
        parts = json.load(file)["parts"]
    os.makedirs(sys.argv[2], exist_ok=True)
    drawn = []
    for name, part in parts.items():
        if not part.get("rows"):
            continue
        pictures = {}
        for row in part["rows"]:
            picture, y_name = APART.get(row["subject"], (name, part["y"]))
            pictures.setdefault((picture, y_name), []).append(row)
        for (picture, y_name), rows in pictures.items():
            path = os.path.join(sys.argv[2], picture + ".svg")
            if name in SWEEPS:
                series = {}
                for row in rows:
                    series.setdefault(row["label"], []).append((row["x"], row["values"]))
                draw(sweep(path, part["about"], part["x"], y_name, list(series.items())))
            elif name in COMPARISONS:
                chosen = [(row["label"], row["values"]) for row in rows if row["x"] == COMPARISONS[name]]
                if not chosen:
                    continue
                at = f" ({part['x']}: {COMPARISONS[name]})" if part["x"] else ""
                draw(dots(path, part["about"] + at, y_name, chosen))
            else:
                continue
            drawn.append(path)
    print("\n".join(drawn) if drawn else "plot.py: nothing was measured that has a picture")


main()
