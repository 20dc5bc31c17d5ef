#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Our parser of HTTP and that of Node.js (strict) read the same connections.

usage: http_node.py OURS [SEED [COUNT]]     OURS is the program made from http.c; COUNT changed connections

What both take, both must take alike: method, target, body, and where the next request begins. What Node.js takes and
we refuse must be refused for a reason that stands in REFUSED; what we take and it refuses must stand in TAKEN.
"""
import collections
import json
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import http_cases  # noqa: E402

# Why we refuse what Node.js may take: our fault, and the reason.
REFUSED = {
    "400 no Host": "Node.js answers 400 as well, and then reads on",
    "400 more than one Host": "RFC 9112, 3.2: to be refused with 400; a proxy may have gone by the other one",
    "400 Host is not valid": "RFC 9112, 3.2: to be refused with 400; an http URI has a host",
    "400 Host and target name different hosts": "RFC 9112, 3.2: they have to be the same; a proxy may have gone by the other one",
    "400 the target is not valid": "RFC 3986: characters or escapes that no URI has, a user, or another scheme; '*' is for OPTIONS",
    "400 the request line has no target that ends with one blank": "RFC 9112, 3: one blank; and HTTP/0.9 is not spoken",
    "400 the request line ends with no version": "RFC 9112, 3: one blank",
    "400 the first byte begins no method": "an LF before a request",
    "400 CR without LF": "a CR before a request; Node.js 18 takes any byte behind some",
    "400 LF without CR": "RFC 9112, 2.2 allows it; two that differ about it can be played off against each other (Node.js 18)",
    "400 control character in the head": "RFC 9112, 3.2: no target holds one (Node.js 18 takes form feeds)",
    "400 a field line has no name that ends with a colon": "RFC 9112, 5.1: to be refused with 400 (Node.js 18)",
    "400 a field line that begins with a blank (obsolete folding)": "RFC 9112, 5.2: to be refused with 400 (Node.js 18)",
    "400 empty lines where a request line belongs": "RFC 9112, 2.2 wants one to be skipped, not any number",
    "400 Connection is not a list of tokens": "RFC 9110, 7.6.1",
    "400 Transfer-Encoding in HTTP/1.0": "RFC 9112, 6.1: the framing is faulty",
    "400 Transfer-Encoding and Content-Length": "an empty Transfer-Encoding is one",
    "400 more than one Transfer-Encoding": "others combine them, or take one of them",
    "400 Transfer-Encoding is not chunked alone": "an empty Transfer-Encoding is one",
    "501 Transfer-Encoding is not chunked alone": "no other coding is undone here; Node.js gives the coded bytes to the program",
    "400 the chunks are not valid": "extensions without a name; more digits than 64 bits have; what is not CRLF (Node.js 18)",
    "417 an expectation that is not 100-continue": "Node.js answers 417 as well, and then reads on",
    "431 too many fields": "the bound is 64 here and 2000 there",
    "431 head too long": "the bound is 8 kB here and 16 kB there",
    "501 method not known": "Node.js knows all that are registered",
    "505 only HTTP/1.1 and HTTP/1.0 are spoken here": "Node.js takes 0.9 and 2.0 in the form of 1.1",
    "closed": "RFC 9112, 9.3: close wins over keep-alive, also in HTTP/1.0",
}

# Why we take what Node.js refuses: a pattern of the bytes, and the reason.
TAKEN = [
    (rb"(?i)\r\nUpgrade:", "RFC 9110, 7.8: Upgrade may be ignored; Node.js reads nothing behind it"),
    (rb"(?is)\r\n0*(;[^\r]*)?\r\n([^\r]+\r\n)*(Content-Length|Transfer-Encoding|Connection):",
     "RFC 9112, 7.1.2: trailers are dropped, whatever they are called; Node.js acts on some"),
    (rb"Transfer-Encoding: \tchunked\t\r\n", "RFC 9110, 5.6.3: a TAB is white space as well"),
]

LINE = re.compile(r"(\S+) (\S+) 1\.[01] \S* (?:keep|close) (?:100 )?(?:none|length|chunked) \|(.*)\|( cut)?")


def ours(program, texts):
    """For each connection its whole requests, as (method, target, body), and how it ended."""
    out = subprocess.run([program], input="".join(text.hex() + "\n" for text in texts), stdout=subprocess.PIPE, text=True,
                         check=True, timeout=300).stdout
    results = []
    for transcript in out.split("\n\n")[:-1]:
        *lines, end = transcript.split("\n")
        matches = [LINE.fullmatch(line) for line in lines]
        requests = [(m[1], m[2].encode(), re.sub(rb"\\x(..)", lambda x: bytes([int(x[1], 16)]), m[3].encode()))
                    for m in matches if not m[4]]
        results.append((requests, end[2:]))
    return results


def target_of(url):
    """What we say of a target: without the host, where it has one."""
    match = re.match(rb"(?i)https?://[^/?]*", url)
    rest = url[match.end():] if match else url
    return rest if not match or rest.startswith(b"/") else b"/" + rest


def nodes(texts):
    here = os.path.dirname(os.path.abspath(__file__))
    out = subprocess.run(["node", os.path.join(here, "node.js")], input="".join(text.hex() + "\n" for text in texts),
                         stdout=subprocess.PIPE, text=True, check=True, timeout=300).stdout
    results = []
    for line in out.splitlines():
        said = json.loads(line)
        requests = [(one["method"], target_of(bytes.fromhex(one["url"])), bytes.fromhex(one["body"])) for one in said["requests"]]
        refused = said["error"] if said["error"] != "HPE_INVALID_EOF_STATE" else None
        status = [code for code in said["statuses"] if code >= 400]
        results.append((requests, refused or (status and f"status {status[0]}")))
    return results


def main():
    program, seed, count = sys.argv[1], *(int(arg) for arg in (sys.argv[2:] + ["1", "2000"][len(sys.argv) - 2:]))
    if not shutil.which("node"):
        print("skipped: no Node.js on this machine")
        return 77
    cases = http_cases.everything(seed, count)
    texts = [text for _, text in cases]
    wrong, reasons, taken = [], collections.Counter(), collections.Counter()
    for (name, text), (our_requests, our_end), (node_requests, node_refused) in zip(cases, ours(program, texts), nodes(texts)):
        common = min(len(our_requests), len(node_requests))
        if our_requests[:common] != node_requests[:common]:
            wrong.append((name, text, "read differently", our_requests, our_end, node_requests, node_refused))
        elif len(node_requests) > common:
            if our_end in REFUSED:
                reasons[our_end] += 1
            else:
                wrong.append((name, text, "only Node.js takes it", our_requests, our_end, node_requests, node_refused))
        elif len(our_requests) > common:
            why = next((why for pattern, why in TAKEN if re.search(pattern, text)), None)
            if why:
                taken[why] += 1
            else:
                wrong.append((name, text, "only we take it", our_requests, our_end, node_requests, node_refused))
    version = subprocess.run(["node", "--version"], stdout=subprocess.PIPE, text=True).stdout.strip()
    print(f"Node.js {version}: {len(cases)} connections, {sum(reasons.values())} that only Node.js takes, {sum(taken.values())} only we")
    for counter, words in ((reasons, REFUSED), (taken, None)):
        for what, number in counter.most_common():
            print(f"  {number:5} {what}" + (": " + words[what] if words else ""))
    for name, text, *what in sorted(wrong, key=lambda one: one[2] == "only Node.js takes it")[:10]:
        print(name, text, *what, sep="\n  ")
    if wrong:
        print(len(wrong), "that are in no list")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
