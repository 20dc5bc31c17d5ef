/* SPDX-License-Identifier: MIT */
/* Any bytes as a configuration: a fault with its place, or a configuration whose print is read again to
 * the same print. */
#include <herd/config.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void check(bool is_so)
{
    if (!is_so)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct herd_config *config = NULL, *again = NULL;
    struct herd_diagnostic diagnostic = {0};
    struct herd_buf first = {0}, second = {0};
    int err = herd_config_parse(&config, (struct herd_span){(const char *)bytes, len}, &diagnostic);
    if (err < 0) {
        check(!config && diagnostic.message[0] && memchr(diagnostic.message, '\0', sizeof diagnostic.message));
        check(err == HERD_E_NOMEM || (diagnostic.line >= 1 && diagnostic.column >= 1));
        return 0;
    }
    check(config->server_count > 0 && config->provider_count > 0);
    check(herd_config_print(config, &first) == 0);
    check(herd_config_parse(&again, (struct herd_span){first.at, first.len}, NULL) == 0);
    check(herd_config_print(again, &second) == 0);
    check(first.len == second.len && memcmp(first.at, second.at, first.len) == 0);
    herd_config_free(config);
    herd_config_free(again);
    herd_buf_fini(&first);
    herd_buf_fini(&second);
    return 0;
}
