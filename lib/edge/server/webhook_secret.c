/* SPDX-License-Identifier: MIT */
/* The secret that signs what a webhook posts: the first line of a file. */
#include "../../core/base/wipe.h"
#include "../tls/tls_file.h"
#include "webhook.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int fail(struct herd_diagnostic *diagnostic, int err, const char *what)
{
    diagnostic->line = diagnostic->column = 0;
    snprintf(diagnostic->message, sizeof diagnostic->message, "webhook: %.240s", what);
    return err;
}

int herd_webhook_secret_read(const char *path, char **ret_secret, size_t *ret_len,
                             struct herd_diagnostic *reterr_diagnostic)
{
    struct herd_buf bytes = {0};
    struct herd_tls_fault fault = {0};
    if (!herd_webhook_can_sign())
        return fail(reterr_diagnostic, HERD_E_UNSUPPORTED, "secret_file needs OpenSSL, and this library has none");
    int err = herd_tls_file_read(path, true, &bytes, &fault);
    if (err < 0) {
        fail(reterr_diagnostic, err, fault.event ? fault.text : herd_strerror(err));
        goto out;
    }
    const char *end = bytes.len ? memchr(bytes.at, '\n', bytes.len) : NULL;
    size_t len = end ? (size_t)(end - bytes.at) : bytes.len;
    len -= len > 0 && bytes.at[len - 1] == '\r';
    if (len == 0 || len > HERD_WEBHOOK_SECRET_MAX) {
        err = fail(reterr_diagnostic, HERD_E_SYNTAX, "secret_file: expected a line of 1 to 1024 bytes");
        goto out;
    }
    *ret_secret = malloc(len);
    if (!*ret_secret) {
        err = fail(reterr_diagnostic, HERD_E_NOMEM, herd_strerror(HERD_E_NOMEM));
        goto out;
    }
    memcpy(*ret_secret, bytes.at, len);
    *ret_len = len;
out:
    if (bytes.at)
        herd_wipe(bytes.at, bytes.cap);
    herd_buf_fini(&bytes);
    return err;
}

void herd_webhook_secret_free(char *secret, size_t len)
{
    if (secret)
        herd_wipe(secret, len);
    free(secret);
}

int herd_webhook_check(const struct herd_config *config, struct herd_diagnostic *reterr_diagnostic)
{
    char *secret = NULL;
    size_t len = 0;
    int err = 0;
    if (config->webhook.server && config->webhook.secret_file)
        err = herd_webhook_secret_read(config->webhook.secret_file, &secret, &len, reterr_diagnostic);
    herd_webhook_secret_free(secret, len);
    return err;
}
