# SPDX-License-Identifier: MIT
"""What a part of the benchmark found: rows of repeated figures, ratios between them, targets, and their tables."""
import statistics

from subjects import LABELS

OTHERS_BUSY = 0.15  # more of a core than this, used by strangers, is worth a warning


def spread(values):
    return {"min": min(values), "median": statistics.median(values), "max": max(values)}


def ratios(values, others):
    """Pairwise: repetition i of both was measured within the same minute, so drift of the machine cancels out."""
    return [value / other for value, other in zip(values, others) if other > 0]


def number(value):
    if value == 0:
        return "0"
    magnitude = abs(value)
    if magnitude >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if magnitude < 10 else f"{value:.1f}" if magnitude < 100 else f"{value:.0f}"


def three(values):
    """median (min..max)"""
    s = spread(values)
    return f"{number(s['median'])} ({number(s['min'])}..{number(s['max'])})"


def nanoseconds(value):
    return f"{value / 1000:.1f} us" if value < 1e6 else f"{value / 1e6:.2f} ms"


def table(head, rows, out):
    widths = [max(len(str(line[i])) for line in [head, *rows]) for i in range(len(head))]
    for line in [head, ["-" * width for width in widths], *rows]:
        cells = [str(cell).ljust(width) if i == 0 else str(cell).rjust(width)
                 for i, (cell, width) in enumerate(zip(line, widths))]
        print("  " + "  ".join(cells).rstrip(), file=out)


class Part:
    """One part's findings. Rows are kept by subject and by x, the input that is swept (None: nothing is)."""

    def __init__(self, name, about, x_name, y_name):
        self.name, self.about, self.x_name, self.y_name = name, about, x_name, y_name
        self.rows, self.targets, self.notes, self.skipped = {}, [], [], []
        self.others_expected = False  # a process that is not accounted belongs to the measurement

    def add(self, subject, x, value, run=None):
        row = self.rows.setdefault((subject, x), {"values": [], "runs": []})
        row["values"].append(value)
        if run is not None:
            row["runs"].append(run)

    def values(self, subject, x=None):
        row = self.rows.get((subject, x))
        return row["values"] if row else None

    def note(self, text):
        if text not in self.notes:
            self.notes.append(text)

    def skip(self, subject, why):
        self.skipped.append({"subject": subject, "why": why})

    def target(self, what, values, at_most=None, at_least=None, stretch=None):
        """Holds a measured ratio (or figure) against the target of the issue, at its median. values: None if
        something it needs was not measured."""
        found = {"what": what, "at_most": at_most, "at_least": at_least, "stretch": stretch}
        if values:
            found.update(spread(values))
            median = found["median"]
            found["met"] = median <= at_most if at_least is None else median >= at_least
            if stretch is not None:
                found["stretch_met"] = median <= stretch
        self.targets.append(found)

    def ratio_target(self, what, subject, other, x=None, **bounds):
        mine, theirs = self.values(subject, x), self.values(other, x)
        self.target(what, ratios(mine, theirs) if mine and theirs else None, **bounds)

    def as_json(self):
        rows = [{"subject": subject, "label": LABELS.get(subject, subject), "x": x, **row}
                for (subject, x), row in self.rows.items()]
        return {"about": self.about, "x": self.x_name, "y": self.y_name, "rows": rows, "targets": self.targets,
                "notes": self.notes, "skipped": self.skipped, "others_expected": self.others_expected}

    def print(self, base, out):
        """base: the subject whose figure at the same x is 1."""
        print(f"\n{self.name}: {self.about}", file=out)
        latencies = any("latency_ns" in run for row in self.rows.values() for run in row["runs"])
        rates = any(run.get("throughput") for row in self.rows.values() for run in row["runs"])
        head = ["", self.y_name]
        if self.x_name:
            head.insert(1, self.x_name)
        if base:
            head.append(f"x {base}")
        head += ["requests/s"] if rates else []
        head += ["p50", "p99", "p99.9", "max"] if latencies else []
        rows = []
        for (subject, x), row in self.rows.items():
            line = [LABELS.get(subject, subject), three(row["values"])]
            if self.x_name:
                line.insert(1, "" if x is None else f"{x:,}" if isinstance(x, int) else x)
            if base:
                others = self.values(base, x)
                line.append(three(ratios(row["values"], others)) if others else "")
            if rates:
                told = [run["throughput"] for run in row["runs"] if run.get("throughput")]
                line.append(number(statistics.median(told)) if told else "")
            if latencies:
                told = [run["latency_ns"] for run in row["runs"] if "latency_ns" in run]
                line += [nanoseconds(statistics.median([one[q] for one in told])) if told else ""
                         for q in ("p50", "p99", "p999", "max")]
            rows.append(line)
        if rows:
            table(head, rows, out)
        for skipped in self.skipped:
            print(f"  SKIPPED {LABELS.get(skipped['subject'], skipped['subject'])}: {skipped['why']}", file=out)
        for note in self.notes:
            print(f"  note: {note}", file=out)
        runs = [run for row in self.rows.values() for run in row["runs"] if "others_busy" in run]
        disturbed = sum(run["others_busy"] > OTHERS_BUSY for run in runs)
        if disturbed and not self.others_expected:
            print(f"  WARNING: during {disturbed} of {len(runs)} measurements other processes used more than "
                  f"{OTHERS_BUSY:.0%} of a core", file=out)
        print_targets(self.targets, out)


def print_targets(targets, out):
    rows = []
    for target in targets:
        wanted = f"<= {number(target['at_most'])}" if target["at_least"] is None else f">= {number(target['at_least'])}"
        if target.get("stretch") is not None:
            wanted += f" (stretch {number(target['stretch'])})"
        if "met" in target:
            measured = f"{number(target['median'])} ({number(target['min'])}..{number(target['max'])})"
            verdict = "met" if target["met"] else "MISSED"
            if target.get("stretch_met"):
                verdict += ", stretch too"
        else:
            measured, verdict = "", "not measured"
        rows.append([target["what"], wanted, measured, verdict])
    if rows:
        table(["target", "wanted", "measured: median (min..max)", ""], rows, out)
