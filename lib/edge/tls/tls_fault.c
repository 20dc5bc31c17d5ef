/* SPDX-License-Identifier: MIT */
/* What went wrong, in one sentence. OpenSSL's queue of errors belongs to the thread: it is emptied at each failure, or
 * one connection's error would be taken for the next one's. */
#include "tls_impl.h"

#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>

/* Apart from the stream: most never have one, and an idle connection is not to carry room for it. */
struct herd_tls_fault *herd_tls_stream_note(struct herd_tls_stream *stream)
{
    if (!stream->fault)
        stream->fault = calloc(1, sizeof *stream->fault);
    stream->no_memory |= !stream->fault;
    return stream->fault;
}

bool herd_tls_error_is_memory(void)
{
    return ERR_GET_REASON(ERR_peek_error()) == ERR_R_MALLOC_FAILURE ||
           ERR_GET_REASON(ERR_peek_last_error()) == ERR_R_MALLOC_FAILURE;
}

const char *herd_tls_error_text(char *text, size_t size)
{
    unsigned long code = ERR_get_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;
    if (reason)
        snprintf(text, size, "%s", reason);
    else if (code)
        ERR_error_string_n(code, text, size);
    else
        snprintf(text, size, "no reason given");
    ERR_clear_error();
    return text;
}
