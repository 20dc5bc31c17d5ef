/* SPDX-License-Identifier: MIT */
/* A BIO that reads what arrived for a stream and appends what it writes to the stream's output. */
#include "tls_impl.h"

#include <openssl/bio.h>
#include <string.h>

static int read_in(BIO *bio, char *to, int len)
{
    struct herd_tls_stream *stream = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (stream->flooded)
        return -1; /* no more of it is read */
    if (stream->in.len == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    size_t take = (size_t)len < stream->in.len ? (size_t)len : stream->in.len;
    memcpy(to, stream->in.at, take);
    stream->in.at += take;
    stream->in.len -= take;
    return (int)take;
}

static int write_out(BIO *bio, const char *from, int len)
{
    struct herd_tls_stream *stream = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (!stream->out || herd_buf_add(stream->out, from, (size_t)len) < 0) {
        stream->no_memory = true;
        return -1;
    }
    return len;
}

static long control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

BIO_METHOD *herd_tls_bio_method(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "herd stream");
    if (method && (!BIO_meth_set_read(method, read_in) || !BIO_meth_set_write(method, write_out) ||
                   !BIO_meth_set_ctrl(method, control))) {
        BIO_meth_free(method);
        return NULL;
    }
    return method;
}

BIO *herd_tls_bio_new(const BIO_METHOD *method, struct herd_tls_stream *stream)
{
    BIO *bio = BIO_new(method);
    if (!bio)
        return NULL;
    BIO_set_data(bio, stream);
    BIO_set_init(bio, 1);
    return bio;
}
