# SPDX-License-Identifier: MIT
"""Proves that the simulators can fail: builds them over cores with one bug each (mutants/*.edit; of the one with a
database mutants/database/*.edit) and counts the seeds until it notices. Exit status 1: an edit does not fit the sources any more, a bug was not noticed within
--seeds, or the core without a bug fails.

    mutants.py --core lib/core --include include --sim tests/sim [--seeds 4000] [--only NAME,...] --cc CC...
"""
import argparse
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import variant

FLAGS = ["-std=c11", "-O1", "-D_POSIX_C_SOURCE=200809L", "-D_DEFAULT_SOURCE", "-w"]
EDGE = ["journal.c", "journal_compact.c", "journal_file.c", "journal_read.c", "journal_task.c",
        "journal_write.c"]  # part of the simulation too
WRAP = ["-Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=aligned_alloc,--wrap=free"]


class Builder:
    def __init__(self, args, work):
        self.args, self.work = args, work
        self.sources = variant.read_core(args.core)
        variant.apply(self.sources, os.path.join(args.sim, "small", "small.edit"))
        self.edge = os.path.join(os.path.dirname(args.core), "edge", "journal")
        for name in EDGE:
            with open(os.path.join(self.edge, name), encoding="utf-8") as f:
                self.sources[name] = f.read()
        self.base = os.path.join(work, "base")
        variant.write_core(self.sources, self.base)
        jobs = [(os.path.join(self.base, name), self.base) for name in self.sources if name.endswith(".c")]
        with ThreadPoolExecutor(2) as pool:
            self.objects = dict(pool.map(lambda job: self.compile(*job), jobs))
            sim = self.folder(pool, args.sim)
            database = self.folder(pool, os.path.join(args.sim, "database"))
        self.programs = {"sim": sim, "database": {"alloc.c": sim["alloc.c"], **database}}

    def folder(self, pool, path):
        out = os.path.join(self.base, "of-" + os.path.basename(path))  # names of its files may be those of the core's
        os.makedirs(out)
        jobs = [(os.path.join(path, name), out) for name in sorted(os.listdir(path)) if name.endswith(".c")]
        return dict(pool.map(lambda job: self.compile(*job), jobs))

    def compile(self, source, out):
        name = os.path.basename(source)
        target = os.path.join(out, name[:-2] + ".o")
        more = ["-I" + self.edge, "-DHERD_JOURNAL_BATCH_BYTES=300", "-include", os.path.join(self.args.sim, "files.h")]
        subprocess.run([*self.args.cc, *FLAGS, *(more if name in EDGE else []), "-I" + out, "-I" + self.base, "-I" + self.args.include,
                        "-I" + self.args.sim, "-c", source, "-o", target], check=True)
        return name, target

    def link(self, kind, objects, out):
        program = os.path.join(out, kind)
        if kind != "sim":
            objects = {name: target for name, target in objects.items() if name not in EDGE}
        subprocess.run([*self.args.cc, *WRAP, *objects.values(), *self.programs[kind].values(), "-lm", "-o", program], check=True)
        return program

    def mutant(self, edit):
        out = os.path.join(self.work, os.path.basename(edit))
        sources = dict(self.sources)
        changed = variant.apply(sources, edit)
        if any(name.endswith(".h") for name in changed):  # what it declares stays: the simulator has the old one
            changed = set(sources) - set(EDGE)
        variant.write_core(sources, out, changed)
        jobs = [(os.path.join(out, name), out) for name in changed if name.endswith(".c")]
        with ThreadPoolExecutor(2) as pool:
            kind = "database" if os.path.basename(os.path.dirname(edit)) == "database" else "sim"
            return self.link(kind, {**self.objects, **dict(pool.map(lambda job: self.compile(*job), jobs))}, out)


def run(program, seeds):
    """(first failing seed or None, what it said)"""
    # timeout(1) ends its children too
    done = subprocess.run(["timeout", "-k", "1", "150", program, "--seeds", f"1..{seeds}"], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, errors="replace")
    if done.returncode >= 124 and not done.stderr:
        raise SystemExit(f"{program}: hangs")
    if done.returncode == 0:
        return None, ""
    seed = re.search(r"--seed (\d+)", done.stderr)
    said = re.sub(r"seed \d+, after (\d+) events, at [0-9.]+ s: ", "", done.stderr.splitlines()[0])
    return int(seed[1]) if seed else 0, "".join(c if " " <= c <= "~" else "?" for c in said)


def main():
    parser = argparse.ArgumentParser()
    for name in ("core", "include", "sim"):
        parser.add_argument("--" + name, required=True, type=os.path.abspath)
    parser.add_argument("--seeds", type=int, default=4000)
    parser.add_argument("--only", metavar="NAME,...")
    parser.add_argument("--cc", nargs="+", required=True)
    args = parser.parse_args()
    edits = []
    for folder in (os.path.join(args.sim, "mutants"), os.path.join(args.sim, "mutants", "database")):
        edits += sorted(os.path.join(folder, name) for name in os.listdir(folder)
                        if name.endswith(".edit") and (not args.only or name[:-5] in args.only.split(",")))
    failed = False
    with tempfile.TemporaryDirectory(prefix="herd-mutants-") as work:
        builder = Builder(args, work)
        for kind in builder.programs:
            seed, said = run(builder.link(kind, builder.objects, builder.base), args.seeds if kind == "sim" else 1000)
            if seed is not None:
                print(f"without a bug, seed {seed} of {kind} fails: {said}")
                failed = True
        print(f"{'seeds':>6}  bug")
        for edit in edits:
            seed, said = run(builder.mutant(edit), args.seeds)
            what = variant.read_edit(edit)[0]
            failed |= seed is None
            print(f"{seed if seed is not None else 'NEVER':>6}  {what}\n        {said[:100]}", flush=True)
    print(f"{len(edits)} bugs, {'NOT all noticed' if failed else 'all noticed'} within {args.seeds} seeds")
    return failed


if __name__ == "__main__":
    sys.exit(main())
