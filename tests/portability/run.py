#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The core on a machine of another kind: built for it with a cross compiler, statically, and run here, under
qemu-user where this processor cannot.

    run.py SOURCE BUILD MACHINE --native RECORD_HASH --answers ANSWERS [--seeds N]

MACHINE is a row of MACHINES. What runs:
    record-hash   the example of PROTOCOL.md's section 4 must give the hashes printed there, and lines drawn at random
                  the same hashes as RECORD_HASH, the same program built for this machine
    answers       must print of each input of the readers of places what ANSWERS prints, likewise
    fuzz targets  of numbers, lines, sessions and journals: their corpus, replayed
    sim           the simulators, N seeds each

Objects are kept in BUILD and made anew when a source is newer. Exit status 77: there is no compiler for that
machine here, or nothing that runs its programs.
"""
import argparse
import os
import random
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

MACHINES = {  # compiler, what runs its programs where this processor does not, what it stands for
    "i686": ("i686-linux-gnu-gcc", "qemu-i386-static", "32 bits"),
    "s390x": ("s390x-linux-gnu-gcc", "qemu-s390x-static", "the highest byte first"),
}
FLAGS = ["-std=c11", "-O1", "-D_POSIX_C_SOURCE=200809L", "-D_DEFAULT_SOURCE", "-D_FILE_OFFSET_BITS=64", "-Wall", "-Wextra", "-Werror"]
CHECKED = ["-Wconversion", "-Wsign-conversion"]  # what a number loses on the way is another thing on another machine
WRAP = ["-Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=aligned_alloc,--wrap=free"]
JOURNAL = ["journal.c", "journal_compact.c", "journal_file.c", "journal_read.c", "journal_task.c", "journal_write.c"]  # part of the simulation too
TARGETS = ["at_frame", "journal", "line", "numbers", "session", "places_numbers"]



def skip(why):
    print(f"SKIP: {why}")
    sys.exit(77)


def quiet(command, **more):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, errors="replace", **more)
    if done.returncode:
        sys.exit(f"{shlex.join(map(str, command))}\n{done.stdout[-4000:]}\nexit status {done.returncode}")
    return done.stdout


class Machine:
    def __init__(self, compiler, emulator, build):
        self.compiler, self.build = shutil.which(compiler), build
        if not self.compiler:
            skip(f"{compiler} is not installed")
        os.makedirs(build, exist_ok=True)
        self.runner = self.how_to_run(emulator)

    def how_to_run(self, emulator):
        """[] where this processor runs the programs itself."""
        with tempfile.TemporaryDirectory() as folder:
            program = os.path.join(folder, "nothing")
            built = subprocess.run([self.compiler, "-static", "-x", "c", "-", "-o", program], input="int main(void){return 7;}",
                                   text=True, stderr=subprocess.PIPE)
            if built.returncode:
                skip(f"{os.path.basename(self.compiler)} cannot link a static program (its C library is missing?)")
            for runner in [], [shutil.which(emulator)]:
                try:
                    if runner != [None] and subprocess.run([*runner, program], stderr=subprocess.DEVNULL).returncode == 7:
                        return runner
                except OSError:
                    pass
        skip(f"{emulator} is not installed, and this processor cannot run the programs")

    def compile(self, jobs):
        """[(source, object's name, flags)] -> objects; those older than any header or source are made anew."""
        newest = max(os.path.getmtime(h) for h in self.headers)

        def one(job):
            source, name, flags = job
            target = os.path.join(self.build, name)
            if not os.path.exists(target) or os.path.getmtime(target) < max(newest, os.path.getmtime(source)):
                quiet([self.compiler, *FLAGS, *flags, "-c", source, "-o", target + ".new"])
                os.replace(target + ".new", target)
            return target
        with ThreadPoolExecutor(2) as pool:
            return list(pool.map(one, jobs))

    def link(self, name, objects, *flags):
        program = os.path.join(self.build, name)
        quiet([self.compiler, "-static", *objects, *flags, "-o", program, "-lm"])
        return program

    def run(self, program, *args, **more):
        return quiet([*self.runner, program, *map(str, args)], **more)


def c_files(*folders):
    return [os.path.join(f, n) for f in folders for n in sorted(os.listdir(f)) if n.endswith(".c")]


def random_lines(count):
    """AT lines of all shapes: with and without decimals, leading zeros, long ids, at the edges of eight bytes."""
    r = random.Random(20261126)
    def digits(low, high):
        return "".join(r.choice("0123456789") for _ in range(r.randint(low, high)))
    def decimal(whole):
        return whole + ("." + digits(1, r.choice((1, 3, 9, 12, 20))) if r.random() < 0.8 else "")
    for _ in range(count):
        client = "".join(r.choice("abcdefghijklmnopqrstuvwxyz-_.") for _ in range(r.choice((1, 3, 7, 8, 9, 15, 16, 17, 40, 300))))
        place = "".join(r.choice("+-") + decimal(str(r.randint(0, top - 1)).zfill(r.randint(1, 3))) for top in (90, 180))
        yield (f"AT {r.choice(('Riley', 'a', 'Server-with-a-long-name'))} {r.choice('+-')}{decimal(digits(1, 9))} {client} {place} "
               f"{decimal(r.choice(('', '0', '00')) + str(r.randint(0, 9 * 10 ** 9)))}\n")


def check_hashes(machine, program, native, protocol):
    text = open(protocol, encoding="utf-8").read()
    example = re.findall(r"^    (AT .*)\n      id hash     (\w+)\n      record hash (\w+)$", text, re.M)
    root = re.search(r"^    (ROOT \d+ \w+)$", text, re.M).group(1)
    assert len(example) >= 3, "PROTOCOL.md has lost its example"
    expected = [f"{i} {h}" for _, i, h in example] + [root]
    said = machine.run(program, input="".join(line + "\n" for line, _, _ in example), encoding="utf-8").splitlines()
    assert said == expected, f"PROTOCOL.md says\n{expected}\nand the library on this machine\n{said}"
    lines = "".join(random_lines(3000))
    here = quiet([native], input=lines, encoding="utf-8").splitlines()
    there = machine.run(program, input=lines, encoding="utf-8").splitlines()
    assert len(here) == 3001
    for line, a, b in zip(lines.splitlines() + ["all of them"], here, there):
        assert a == b, f"{line}\nhas {a} here and {b} there"
    assert len(there) == len(here)
    print(f"hashes: {len(example)} of PROTOCOL.md, 3000 drawn, and the digests of both stores")


def check_answers(machine, program, native, corpora):
    files = [os.path.join(corpora, target, name) for target in sorted(os.listdir(corpora)) if target.startswith("places_")
             for name in sorted(os.listdir(os.path.join(corpora, target)))]
    assert len(files) > 20, "where are the inputs?"
    taken = 0
    for file in files:
        here, there = quiet([native, file]), machine.run(program, file)
        assert here == there, f"{file}\nhere\n{here}\nthere\n{there}"
        taken += "answer 0 " in here or "points 0 " in here
    print(f"answers and files of places: {len(files)}, of which {taken} are right ones")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("source")
    parser.add_argument("build")
    parser.add_argument("machine", choices=MACHINES)
    parser.add_argument("--native", required=True)
    parser.add_argument("--answers", required=True)
    parser.add_argument("--seeds", type=int, default=200)
    args = parser.parse_args()
    root = os.path.abspath(args.source)
    path = lambda *parts: os.path.join(root, *parts)  # noqa: E731
    sys.dont_write_bytecode = True
    sys.path.insert(0, path("tests", "sim"))
    import variant

    compiler, emulator, _ = MACHINES[args.machine]
    machine = Machine(compiler, emulator, os.path.join(os.path.abspath(args.build), args.machine))
    core_folders = [path("lib", "core", f) for f in sorted(os.listdir(path("lib", "core"))) if os.path.isdir(path("lib", "core", f))]
    small = os.path.join(machine.build, "small")
    sources = variant.read_core(path("lib", "core"))
    variant.apply(sources, path("tests", "sim", "small", "small.edit"))
    for name in list(sources):  # what did not change keeps its time
        where = os.path.join(small, name)
        if os.path.exists(where) and open(where, encoding="utf-8").read() == sources[name]:
            sources.pop(name)
    variant.write_core(sources, small)

    folders = core_folders + [path(*f.split("/")) for f in ("include/herd", "lib/places", "lib/edge/journal", "tests/sim", "tests/sim/database", "tests/fuzz")]
    machine.headers = [os.path.join(f, n) for f in folders + [small] for n in os.listdir(f) if n.endswith(".h")]
    include = ["-I" + path("include")]
    inside = include + ["-I" + f for f in core_folders]
    sim = include + ["-I" + path("tests", "sim")]
    journal_dir = path("lib", "edge", "journal")
    journal = [(os.path.join(journal_dir, n), "edge-" + n[:-2] + ".o",
                inside + ["-DHERD_JOURNAL_BATCH_BYTES=300", "-include", path("tests", "sim", "files.h")]) for n in JOURNAL]

    def objects(files, prefix, flags):
        return [(f, prefix + os.path.basename(f)[:-2] + ".o", flags) for f in files]

    core = machine.compile(objects(c_files(*core_folders), "core-", inside + CHECKED))
    hashes = machine.link("record-hash", core + machine.compile(objects([path("tests", "docs", "record_hash.c")], "", inside)))
    check_hashes(machine, hashes, args.native, path("lib", "PROTOCOL.md"))

    gazetteer = path("lib", "places", "gazetteer")
    if not os.path.exists(os.path.join(machine.build, "gazetteer.inc")):
        quiet([sys.executable, os.path.join(gazetteer, "embed.py"), *(os.path.join(gazetteer, n + ".tsv") for n in ("cities", "countries")),
               os.path.join(machine.build, "gazetteer.inc")])
    places = machine.compile(objects(c_files(path("lib", "places")), "places-", inside + CHECKED + ["-I" + machine.build]))
    answers = machine.compile(objects([path("tests", "portability", "answers.c")], "", inside + ["-I" + path("lib", "places")]))
    check_answers(machine, machine.link("answers", answers + places + core), args.answers, path("tests", "fuzz", "corpus"))
    fuzz = include + ["-D_GNU_SOURCE", "-I" + path("lib", "places"), "-I" + path("lib", "core", "node")]
    replay = machine.compile(objects([path("tests", "fuzz", "replay.c")], "fuzz-", fuzz))
    for name in TARGETS:
        target = machine.compile(objects([path("tests", "fuzz", name + ".c")], "fuzz-", fuzz))
        program = machine.link("fuzz-" + name, target + replay + (places if name.startswith("places") else []) + core)
        print(f"{name}: {machine.run(program, path('tests', 'fuzz', 'corpus', name)).strip()}")

    edge = machine.compile(journal)
    shipped = machine.compile(objects(c_files(path("tests", "sim")), "sim-", sim + inside))
    print(machine.run(machine.link("sim", shipped + edge + core, *WRAP), "--seeds", f"1..{args.seeds}", "--jobs", 2).strip())
    database = machine.compile(objects(c_files(path("tests", "sim", "database")), "simdatabase-", inside))
    alloc = [o for o in shipped if os.path.basename(o) == "sim-alloc.o"]
    print(machine.run(machine.link("sim-database", alloc + database + core, *WRAP), "--seeds", f"1..{args.seeds}").strip())
    small_core = machine.compile(objects(c_files(small), "small-", include + ["-I" + small]))
    with_small = machine.compile(objects(c_files(path("tests", "sim")), "simsmall-", sim + ["-I" + small]))
    print(machine.run(machine.link("sim-small", with_small + edge + small_core, *WRAP), "--seeds", f"1..{args.seeds}", "--jobs", 2).strip())


main()
