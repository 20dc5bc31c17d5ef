# SPDX-License-Identifier: MIT
"""What the tests share that do what README says of the herd of "An open network": its text, a folder to do it in, ports."""
import atexit
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "system"))
from free_port import free_port  # noqa: E402, F401  pylint: disable=wrong-import-position,unused-import

PATIENCE_S = 30
root, server = map(os.path.abspath, sys.argv[1:3])
with open(os.path.join(root, "README.md"), encoding="utf-8") as readme:
    text = readme.read()


def begin(tools):
    """Ends the test with a word if something is missing; else the folder to work in, which is the current one now."""
    for tool in tools:
        if not shutil.which(tool):
            print("SKIP: not installed:", tool)
            sys.exit(77)
    if subprocess.run([server, "--token", "kiwi"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode != 0:
        print("SKIP: a library without OpenSSL")
        sys.exit(77)
    work = tempfile.mkdtemp(prefix="herd-readme-")
    atexit.register(shutil.rmtree, work)
    os.chdir(work)
    return work


def until(condition, what):
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("waited in vain for " + what)


def configuration(addition, work):
    """README's herd of several machines with an addition, all of it on this one."""
    herd = next(json.loads(block) for block in re.findall(r"^```json\n(.*?)^```", text, re.M | re.S) if '"Oslo"' in block)
    herd.update(json.loads(addition.replace("/etc/herd/", work + "/")))
    for one in herd["servers"].values():
        one.update(host="127.0.0.1", listen="127.0.0.1", port=free_port())
    return herd
