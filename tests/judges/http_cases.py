# SPDX-License-Identifier: MIT
"""Connections for judges of HTTP: whole ones, pairs that smuggle, and changed ones. Each is (name, bytes)."""
import random

HOST = b"Host: h\r\n"
NEXT = b"GET /next HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"


def get(fields=HOST, line=b"GET /first HTTP/1.1\r\n"):
    return line + fields + b"\r\n"


def post(fields, body=b""):
    return b"POST /first HTTP/1.1\r\n" + HOST + fields + b"\r\n" + body


def written():
    """One of each kind of request, right and wrong."""
    lines = [b"GET / HTTP/1.1", b"GET / HTTP/1.0", b"HEAD /a?b=c HTTP/1.1", b"PUT /%2F HTTP/1.1", b"DELETE / HTTP/1.1",
             b"PATCH / HTTP/1.1", b"OPTIONS * HTTP/1.1", b"OPTIONS / HTTP/1.1", b"TRACE / HTTP/1.1", b"GET * HTTP/1.1",
             b"CONNECT h:80 HTTP/1.1", b"M-SEARCH * HTTP/1.1", b"get / HTTP/1.1", b"XGET / HTTP/1.1", b"G\xc3T / HTTP/1.1",
             b"GET  / HTTP/1.1", b"GET /  HTTP/1.1", b"GET\t/ HTTP/1.1", b"GET /\tHTTP/1.1", b" GET / HTTP/1.1",
             b"GET / HTTP/1.1 ", b"GET /", b"GET / ", b"GET HTTP/1.1", b"GET / http/1.1", b"GET / HTTP/1", b"GET / HTTP/1.2",
             b"GET / HTTP/0.9", b"GET / HTTP/2.0", b"GET / HTTP/3.1", b"GET / HTTP/1.10", b"GET / HTTP/01.1", b"GET / XTTP/1.1",
             b"GET /a b HTTP/1.1", b"GET /\xc3\xbc HTTP/1.1", b"GET /\x01 HTTP/1.1", b"GET /\x7f HTTP/1.1", b"GET /\x00 HTTP/1.1",
             b"GET /# HTTP/1.1", b"GET /%zz HTTP/1.1", b"GET /\" HTTP/1.1", b"GET /?a[0]=b HTTP/1.1", b"GET /{} HTTP/1.1",
             b"GET a HTTP/1.1", b"GET ?a HTTP/1.1", b"GET http://h HTTP/1.1", b"GET http://h/a?b HTTP/1.1",
             b"GET http://i/ HTTP/1.1", b"GET http://u@h/ HTTP/1.1", b"GET ftp://h/ HTTP/1.1", b"GET //h/ HTTP/1.1",
             b"PRI * HTTP/2.0"]
    for line in lines:
        yield "line " + repr(line)[2:-1], get(line=line + b"\r\n") + NEXT
    for end in (b"\n", b"\r", b"\r\r\n", b"\n\r", b"\x0b\r\n", b" \r\n"):
        yield "line ends with " + repr(end)[2:-1], get(line=b"GET / HTTP/1.1" + end) + NEXT
        yield "field ends with " + repr(end)[2:-1], get(b"Host: h\r\nA: b" + end) + NEXT
        yield "Host ends with " + repr(end)[2:-1], get(b"Host: h" + end) + NEXT
        yield "head ends with " + repr(end)[2:-1], b"GET / HTTP/1.1\r\nHost: h\r\n" + end + NEXT
    for front in (b"\r\n", b"\r\n\r\n", b"\n", b"\r", b"\0", b" \r\n", b"\xef\xbb\xbf", b"x\r\n"):
        yield "begins with " + repr(front)[2:-1], front + get() + NEXT
        yield "between " + repr(front)[2:-1], get() + front + NEXT
    for host in (b"", b"Host:\r\n", b"Host: \r\n", HOST * 2, HOST + b"Host: i\r\n", b"host:h\r\n", b"Host : h\r\n", b" Host: h\r\n",
                 b"Host: h:80\r\n", b"Host: h:x\r\n", b"Host: a b\r\n", b"Host: a,b\r\n", b"Host: u@h\r\n", b"Host: h/a\r\n",
                 b"Host: [::1]:80\r\n", b"Host: [::1\r\n", b"Host: \xc3\xbc\r\n", b"Host: h\x00\r\n", b"Host:\r\n h\r\n"):
        yield "fields " + repr(host)[2:-1], get(host) + NEXT
        yield "fields of 1.0 " + repr(host)[2:-1], get(host, b"GET / HTTP/1.0\r\n") + NEXT
    for field in (b"A:b", b"A:", b"A: \t b \t ", b"A : b", b"A\t: b", b" A: b", b"A: b\r\n c", b"A: b\r\n\tc", b"A", b": b", b"A B: c",
                  b"A(: b", b"A\xc3: b", b"A: \xc3\xbc", b"A: \x00", b"A: b\x01", b"A: b\x7f", b"A: b\x0b", b"A: b\x0c", b"A: b\rc",
                  b"A: b\nB: c", b"\x00A: b", b"A\x00: b", b"!#$%&'*+-.^_`|~1: b", b"A\r: b", b"\r\n\r\nA: b",
                  b"Connection: close", b"Connection: keep-alive", b"Connection: x, Close", b"Connection: upgrade\r\nUpgrade: h2c",
                  b"Connection: a b", b"Connection:", b"Upgrade: websocket", b"Expect: 100-continue", b"Expect: 100-Continue\r\n"
                  b"Content-Length: 0", b"Expect: x", b"Expect:", b"TE: trailers", b"Trailer: A", b"Content-Encoding: gzip"):
        yield "field " + repr(field)[2:-1], get(HOST + field + b"\r\n") + NEXT
    yield "100 is waited for", post(b"Content-Length: 5\r\nExpect: 100-continue\r\n", b"hello") + NEXT
    yield "1.0 keep-alive", get(HOST + b"Connection: keep-alive\r\n", b"GET / HTTP/1.0\r\n") + NEXT
    yield "1.0 chunked", b"POST / HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + NEXT
    yield "many fields", get(HOST + b"A: b\r\n" * 63) + NEXT
    yield "too many fields", get(HOST + b"A: b\r\n" * 64) + NEXT
    yield "long target", get(line=b"GET /" + b"a" * 7000 + b" HTTP/1.1\r\n") + NEXT
    yield "longer head", get(HOST + b"A: " + b"b" * 9000 + b"\r\n") + NEXT
    yield "cut in the head", get()[:-3]
    yield "cut in the body", post(b"Content-Length: 5\r\n", b"hel")


CHUNKS = [b"5\r\nhello\r\n0\r\n\r\n", b"1\r\nh\r\n4\r\nello\r\n0\r\n\r\n", b"0\r\n\r\n", b"A\r\n0123456789\r\n0\r\n\r\n",
          b"05\r\nhello\r\n00\r\n\r\n", b"0000000000000000005\r\nhello\r\n0\r\n\r\n", b"5;a\r\nhello\r\n0;b=c\r\n\r\n",
          b"5;a=\"b;\\\"\"\r\nhello\r\n0\r\n\r\n", b"5;\r\nhello\r\n0\r\n\r\n", b"5 \r\nhello\r\n0\r\n\r\n", b"5 ;a\r\nhello\r\n0\r\n\r\n",
          b"5; a\r\nhello\r\n0\r\n\r\n", b"5;a =b\r\nhello\r\n0\r\n\r\n", b"5\t\r\nhello\r\n0\r\n\r\n", b" 5\r\nhello\r\n0\r\n\r\n",
          b"+5\r\nhello\r\n0\r\n\r\n", b"-5\r\nhello\r\n0\r\n\r\n", b"0x5\r\nhello\r\n0\r\n\r\n", b"5\nhello\r\n0\r\n\r\n",
          b"5\r\nhello\n0\r\n\r\n", b"5\r\nhello0\r\n\r\n", b"5\r\nhelloXX0\r\n\r\n", b"5\rXhello\r\n0\r\n\r\n", b"g\r\n", b"\r\n",
          b"5;a\nb\r\nhello\r\n0\r\n\r\n", b"5;a\rb\r\nhello\r\n0\r\n\r\n", b"5;a\x00\r\nhello\r\n0\r\n\r\n", b"5;\x7f\r\nhello\r\n0\r\n\r\n",
          b"5;a=\"b\r\nhello\r\n0\r\n\r\n", b"5;a=b=c\r\nhello\r\n0\r\n\r\n", b"5;;a\r\nhello\r\n0\r\n\r\n",
          b"fffffffffffffff\r\nhello", b"ffffffffffffffff\r\nhello", b"10000000000000005\r\nhello\r\n0\r\n\r\n",
          b"5\r\nhello\r\n0\r\nA: b\r\n\r\n", b"0\r\nA: b\r\nContent-Length: 40\r\n\r\n", b"0\r\nA b\r\n\r\n", b"0\r\nA : b\r\n\r\n",
          b"0\r\n A: b\r\n\r\n", b"0\r\nA: b\r\n c\r\n\r\n", b"0\r\nA: b\n\r\n", b"0\r\nA: b\x00\r\n\r\n", b"0\r\n: b\r\n\r\n",
          b"0\r\n\n", b"0\n\n", b"0\r\n\rX", b"0\r\n"]


def chunked():
    for chunks in CHUNKS:
        yield "chunks " + repr(chunks)[2:-1], post(b"Transfer-Encoding: chunked\r\n", chunks) + NEXT


LENGTHS = [b"5", b"05", b"+5", b"-5", b"0x5", b"5,5", b"5, 5", b"5 5", b"5;", b"", b" ", b"5.0", b"5a", b"\"5\"", b"\x0b5", b"5\x0c", b"6",
           b"0", b"99999999999999999999", b"18446744073709551621", b"5\x00"]
CODINGS = [b"chunked", b"Chunked", b"CHUNKED", b"identity", b"gzip", b"gzip, chunked", b"chunked, gzip", b"chunked, identity",
           b"identity, chunked", b"chunked, chunked", b"chunked,", b",chunked", b"chunked ,", b"\tchunked\t", b"\x0bchunked", b"chunked\x0b",
           b"\"chunked\"", b"chunked;a=b", b"xchunked", b"chunkedx", b"chunke", b"", b"\x00chunked", b"chunked\x00", b"c hunked"]
LENGTH_NAMES = [b"Content-Length:", b"content-length:", b"Content-Length :", b"Content-Length\t:", b" Content-Length:", b"Content_Length:",
                b"Content-Length\x00:", b"\x0bContent-Length:", b"X: y\nContent-Length:", b"X: y\rContent-Length:", b"Content-Length"]
CODING_NAMES = [b"Transfer-Encoding:", b"transfer-encoding:", b"Transfer-Encoding :", b"Transfer-Encoding\t:", b" Transfer-Encoding:",
                b"Transfer_Encoding:", b"Transfer-Encoding\x00:", b"\x0bTransfer-Encoding:", b"X: y\nTransfer-Encoding:",
                b"X: y\rTransfer-Encoding:", b"Transfer-Encoding:\r\n", b"Transfer-Encoding:\n", b"Transfer-Encoding"]
INNER = b"5\r\nhello\r\n0\r\n\r\n"


def smuggling():
    """Fields that two parsers may read as two lengths of one body, alone and in pairs."""
    alone = [b"Content-Length: " + value for value in LENGTHS] + [b"Transfer-Encoding: " + value for value in CODINGS]
    alone += [name + b" 5" for name in LENGTH_NAMES] + [name + b" chunked" for name in CODING_NAMES]
    for field in alone:
        for body in (b"hello", INNER):
            yield "framing " + repr(field + b" " + body)[2:-1], post(field + b"\r\n", body) + NEXT
    for one in alone:
        for other in (b"Content-Length: 5", b"Content-Length: 15", b"Transfer-Encoding: chunked"):
            for pair in ((one, other), (other, one)):
                yield "pair " + repr(b" + ".join(pair))[2:-1], post(b"\r\n".join(pair) + b"\r\n", INNER) + NEXT


def changed(seed, count):
    """Valid connections, changed in a few places: the seed says which."""
    draw = random.Random(seed)
    valid = [get() + NEXT, post(b"Content-Length: 5\r\n", b"hello") + NEXT, post(b"Transfer-Encoding: chunked\r\n", INNER) + NEXT,
             post(b"Transfer-Encoding: chunked\r\n", b"5;a=\"b\"\r\nhello\r\n0;c\r\nA: b\r\n\r\n") + NEXT,
             post(b"Content-Length: 2\r\nExpect: 100-continue\r\nConnection: keep-alive\r\n", b"hi") + NEXT,
             get(line=b"GET http://h/a?b HTTP/1.1\r\n") + get(HOST + b"Connection: keep-alive\r\n", b"HEAD / HTTP/1.0\r\n") + NEXT]
    bytes_drawn = b"\r\n\t \x00\x01\x0b\x0c\x7f\x80\xff:;,=\"\\/?%#@[]{}()<>&+-_.*0123459aAgGhHtTxX"
    for number in range(count):
        text = bytearray(draw.choice(valid))
        for _ in range(draw.choice((1, 1, 1, 2, 3))):
            at = draw.randrange(len(text))
            what = draw.randrange(6)
            if what == 0:
                del text[at]
            elif what == 1:
                text[at] = draw.choice(bytes_drawn)
            elif what == 2:
                text.insert(at, draw.choice(bytes_drawn))
            elif what == 3:
                text[at] ^= 0x20
            else:
                lines = bytes(text).split(b"\r\n")
                one = draw.randrange(len(lines))
                lines.insert(draw.randrange(len(lines)), lines[one]) if what == 4 else lines.pop(one)
                text = bytearray(b"\r\n".join(lines))
            if not text:
                break
        yield f"changed {seed}/{number}", bytes(text)


def everything(seed, count):
    cases = [*written(), *chunked(), *smuggling(), *changed(seed, count)]
    return [(name, text) for name, text in cases if text]
