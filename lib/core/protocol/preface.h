/* SPDX-License-Identifier: MIT */
/* What the first bytes of a connection say of who is there. */
#ifndef HERD_CORE_PREFACE_H
#define HERD_CORE_PREFACE_H

#include <herd/types.h>

/* Whether `line` is the request line of HTTP (RFC 9112, 3), taken liberally: a token, anything, and last the word
 * HTTP/ and a version, in any case, with any white space between and around. The preface of HTTP/2 is one too. */
bool herd_preface_http(struct herd_span line);

/* Whether `bytes` begin like the record of a TLS ClientHello: 0x16, then the high byte of its version. */
bool herd_preface_tls(struct herd_span bytes);

/* `line` without a UTF-8 byte order mark at its beginning. */
struct herd_span herd_preface_skip_bom(struct herd_span line);

#endif
