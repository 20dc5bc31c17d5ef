#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Installs the library to a prefix of its own and uses it as strangers do.

usage: run.py pkgconfig|cmake|subproject SOURCE_ROOT BUILD_ROOT
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

what, source, build = sys.argv[1:4]
here = os.path.dirname(os.path.abspath(__file__))
SKIP = 77


def run(*args, **more):
    done = subprocess.run(list(args), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=280, **more)
    if done.returncode != 0:
        print("$", " ".join(args), "\n" + done.stdout)
        sys.exit(1)
    return done.stdout


def need(*tools):
    for tool in tools:
        if not shutil.which(tool):
            print("SKIP:", tool, "is not installed")
            sys.exit(SKIP)


def install(where):
    """Returns the prefix below `where`."""
    run("meson", "install", "-C", build, "--no-rebuild", "--quiet", "--destdir", where)
    for folder, _, names in os.walk(where):
        if "libherd.pc" in names:
            text = open(os.path.join(folder, "libherd.pc")).read()
            prefix = re.search(r"^prefix=/?(.*)$", text, re.M).group(1)
            return os.path.join(where, prefix), folder, text
    sys.exit("no libherd.pc was installed")


def check_output(text):
    assert re.match(r"libherd \d+\.\d+\.\d+ over libevent ", text), text


work = tempfile.mkdtemp(prefix="herd-consumer-")
try:
    if what == "pkgconfig":
        need("pkg-config", "cc")
        prefix, folder, text = install(work)
        environment = dict(os.environ, PKG_CONFIG_PATH=folder)

        def flags(*options):
            # The prefix of the file is where it will be used; here it is used below another directory.
            return run("pkg-config", "--define-variable=prefix=" + prefix, *options, "libherd", env=environment).split()

        # Headers pull in no other library's: a consumer needs private requirements for static linking only.
        assert re.search(r"^Requires\.private: .*libevent_core.*libcurl", text, re.M), text
        assert not re.search(r"^Requires: ", text, re.M), text
        assert not any("curl" in flag or "json" in flag for flag in flags("--libs")), flags("--libs")
        assert any("curl" in flag for flag in flags("--libs", "--static")), flags("--libs", "--static")
        libdir = os.path.dirname(folder)
        run("cc", "-o", work + "/shared", here + "/consumer.c", *flags("--cflags", "--libs"), "-levent_core")
        check_output(run(work + "/shared", env=dict(os.environ, LD_LIBRARY_PATH=libdir)))
        for name in os.listdir(libdir):
            if name.startswith("libherd.so"):
                os.remove(os.path.join(libdir, name))
        # The archive with what Requires.private names. (`--static` would also ask for archives of everything
        # below libcurl, which few machines have.)
        private = [name.split()[0] for name in re.search(r"^Requires\.private: (.*)$", text, re.M).group(1).split(",")]
        below = run("pkg-config", "--libs", *private).split()
        own = re.search(r"^Libs\.private: (.*)$", text, re.M).group(1).split()
        run("cc", "-o", work + "/static", here + "/consumer.c", *flags("--cflags", "--libs"), *below, *own)
        check_output(run(work + "/static"))
    elif what == "cmake":
        need("cmake", "pkg-config", "cc")
        prefix, _, _ = install(work)
        run("cmake", "-S", here + "/cmake", "-B", work + "/b", "-DCMAKE_PREFIX_PATH=" + prefix)
        run("cmake", "--build", work + "/b")
        check_output(run(work + "/b/consumer-shared"))
        check_output(run(work + "/b/consumer-static"))
        linked = run("ldd", work + "/b/consumer-static")
        assert "libherd" not in linked and "libcurl" in linked, linked
    elif what == "subproject":
        need("meson", "ninja")
        project = work + "/project"
        shutil.copytree(here + "/subproject", project)
        shutil.copy(here + "/consumer.c", project)
        os.mkdir(project + "/subprojects")
        os.symlink(source, project + "/subprojects/libherd")
        run("meson", "setup", project, work + "/b", "-Dbuildtype=plain", "-Dlibherd:default_library=static")
        targets = run("ninja", "-C", work + "/b", "-t", "targets", "all")
        assert "herd-server" in targets and "test-core" not in targets and "examples/" not in targets, targets
        run("ninja", "-j2", "-C", work + "/b", "consumer")
        check_output(run(work + "/b/consumer"))
    else:
        sys.exit("usage: run.py pkgconfig|cmake|subproject SOURCE_ROOT BUILD_ROOT")
finally:
    shutil.rmtree(work)
