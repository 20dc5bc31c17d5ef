#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Installs the library to a prefix of its own and uses it as strangers do.

    readme      built with the options that the README installs it with
    pkgconfig, cmake, subproject
                the build there is

usage: run.py readme|pkgconfig|cmake|subproject SOURCE_ROOT BUILD_ROOT
"""
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "system"))
from free_port import free_port  # noqa: E402  pylint: disable=wrong-import-position

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


def build_as_readme(where):
    with open(source + "/README.md", encoding="utf-8") as file:
        options = re.search(r"^meson setup build (.*)$", file.read(), re.M).group(1).split()
    run("meson", "setup", where, source, *options)
    run("ninja", "-C", where)


def check_output(text):
    assert re.match(r"libherd \d+\.\d+\.\d+ over libevent ", text), text


def join_a_herd(server, program, environment):
    """The installed herd-server runs; the stranger's program joins it and is told what it knows."""
    ports = free_port(), free_port()
    config = work + "/herd.json"
    with open(config, "w") as file:
        json.dump({"servers": {"A": {"port": ports[0]}, "B": {"port": ports[1]}}, "links": [["A", "B"]]}, file)
    running = subprocess.Popen([server, "-c", config, "-l", "-", "A"], env=environment, stderr=subprocess.PIPE, text=True)
    try:
        while " listening " not in (line := running.stderr.readline()):
            assert line, "herd-server does not start"
        with socket.create_connection(("127.0.0.1", ports[0]), 30) as client:
            client.sendall(b"IAMAT kiwi +34.0-118.4 1621464827.9\n")
            assert client.recv(1000).startswith(b"AT A +")
        heard = run(program, config, "B", env=environment)
        assert heard == "kiwi at +34.0-118.4\n", heard
    finally:
        running.kill()
        running.communicate()


work = tempfile.mkdtemp(prefix="herd-consumer-")
own_build = tempfile.mkdtemp(prefix="herd-consumer-")
try:
    if what in ("readme", "pkgconfig"):
        need("pkg-config", "cc")
        if what == "readme":
            build = own_build
            build_as_readme(build)
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
        installed = dict(os.environ, LD_LIBRARY_PATH=libdir)
        check_output(run(work + "/shared", env=installed))

        # A program that only parses loads one library of ours and libc.
        core = run("pkg-config", "--define-variable=prefix=" + prefix, "--cflags", "--libs", "libherd-core", env=environment).split()
        run("cc", "-o", work + "/core", here + "/core.c", *core)
        assert run(work + "/core", env=installed) == "kiwi\n"
        loaded = [line.split()[0] for line in run("ldd", work + "/core", env=installed).splitlines()]
        assert all(re.match(r"libherd-core\.so|libc\.so|libm\.so|linux-vdso|.*/ld-", name) for name in loaded), loaded
        assert any(name.startswith("libherd-core.so") for name in loaded), loaded
        for compiler in filter(shutil.which, ("cc", "clang")): # the archive is of use to any
            run(compiler, "-o", work + "/core-static", here + "/core.c", core[0], libdir + "/libherd-core.a")
            assert run(work + "/core-static") == "kiwi\n"

        # What is installed beside the library: the unit names the program where it will be, and the program finds
        # its library there without a word of the environment.
        unit = open(prefix + "/lib/systemd/system/herd@.service").read()
        binary = "/" + os.path.relpath(prefix, work) + "/bin/herd-server"
        assert "\nExecStart=" + binary + " " in unit, unit
        for name in ("embed.c", "herd.logrotate", "herd@.socket"):
            assert os.path.exists(prefix + "/share/doc/libherd/examples/" + name), name
        if shutil.which("scdoc"):
            assert os.path.exists(prefix + "/share/man/man1/herd-server.1")
        if shutil.which("readelf") and "/" + os.path.relpath(prefix, work) != "/usr":
            paths = run("readelf", "-d", prefix + "/bin/herd-server")
            assert "[/" + os.path.relpath(libdir, work) + "]" in paths, paths
            # The library finds the adapters for databases beside itself.
            assert "[$ORIGIN]" in run("readelf", "-d", libdir + "/libherd.so"), libdir
        run("cc", "-o", work + "/joiner", here + "/joiner.c", *flags("--cflags", "--libs"), "-levent_core")
        join_a_herd(prefix + "/bin/herd-server", work + "/joiner", installed)
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
        sys.exit("usage: run.py readme|pkgconfig|cmake|subproject SOURCE_ROOT BUILD_ROOT")
finally:
    shutil.rmtree(work)
    shutil.rmtree(own_build)
