/* SPDX-License-Identifier: MIT */
/* Who is who: the name of the herd, TLS, and the files of identities and keys. Nothing here opens a file. */
#include "config_reader.h"

#include <stdlib.h>
#include <string.h>

static int take_mode(struct herd_config_reader *reader, struct json_object *value, enum herd_tls_mode *ret_mode)
{
    static const char *const names[] = {"off", "allow", "require"};
    for (size_t i = 0; i < 3 && json_object_is_type(value, json_type_string); i++) {
        if (strcmp(json_object_get_string(value), names[i]) != 0)
            continue;
        *ret_mode = (enum herd_tls_mode)i;
        return 0;
    }
    return herd_config_expected(reader, HERD_E_SYNTAX, value, "off, allow or require");
}

static int take_version(struct herd_config_reader *reader, struct json_object *value, bool *ret_tls_1_2)
{
    const char *text = json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "";
    *ret_tls_1_2 = strcmp(text, "1.2") == 0;
    if (*ret_tls_1_2 || strcmp(text, "1.3") == 0)
        return 0;
    return herd_config_expected(reader, HERD_E_SYNTAX, value, "\"1.2\" or \"1.3\"");
}

static int take_tls(struct herd_config_reader *reader, const char *name, struct json_object *value, void *ctx)
{
    struct herd_config_tls *tls = ctx;
    char **files[] = {&tls->certificate, &tls->key, &tls->ca, &tls->crl};
    static const char *const names[] = {"certificate", "key", "ca", "crl"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(name, names[i]) != 0)
            continue;
        int err = herd_config_take_text(reader, value, files[i]);
        if (err >= 0 && reader->places)
            reader->places->trust[HERD_CONFIG_TLS_CERTIFICATE + i] =
                herd_config_place_of(reader, herd_config_at(value));
        return err;
    }
    if (strcmp(name, "mode") == 0)
        return take_mode(reader, value, &tls->mode);
    if (strcmp(name, "min_version") == 0)
        return take_version(reader, value, &tls->tls_1_2);
    return HERD_CONFIG_UNKNOWN;
}

int herd_config_take_tls(struct herd_config_reader *reader, struct json_object *value, struct herd_config *config)
{
    if (json_object_is_type(value, json_type_object))
        config->tls.mode = HERD_TLS_REQUIRE;
    return herd_config_take_members(reader, value, take_tls, &config->tls,
                                    "mode, certificate, key, ca, crl or min_version");
}

int herd_config_take_herd(struct herd_config_reader *reader, struct json_object *value, struct herd_config *config)
{
    int err = herd_config_take_text(reader, value, &config->herd);
    if (err >= 0 &&
        (strlen(config->herd) > HERD_CONFIG_NAME_MAX_BYTES || !herd_config_made_of(config->herd, "._-")))
        err = herd_config_expected(reader, HERD_E_SYNTAX, value, "1 to 64 bytes of A-Z a-z 0-9 . _ -");
    return err;
}

/* Members that need each other. `tls` (may be NULL) is where a fault is shown. */
int herd_config_check_trust(struct herd_config_reader *reader, struct json_object *tls,
                            const struct herd_config *config)
{
    const struct herd_config_tls *t = &config->tls;
    const char *missing = NULL;
    size_t at = tls ? herd_config_at(tls) : 0;
    if ((t->certificate || t->key) && !(t->certificate && t->key))
        missing = t->key ? "a key without a certificate" : "a certificate without a key";
    else if (t->mode != HERD_TLS_OFF && !t->certificate && !config->psk_file)
        missing = "expected a certificate and its key, or \"psk_file\" beside \"tls\"";
    else if (t->mode != HERD_TLS_OFF && !config->herd)
        missing = "expected \"herd\", the name of the herd, beside \"tls\"";
    else if (t->mode != HERD_TLS_OFF && t->certificate && !t->ca)
        missing = "expected \"ca\": the roots that certificates of neighbours lead to";
    else if (t->crl && !t->ca)
        missing = "a revocation list without \"ca\"";
    else if (t->mode == HERD_TLS_OFF && config->psk_file)
        missing = "\"psk_file\" needs \"tls\" with mode allow or require";
    if (missing)
        return herd_config_fail(reader, HERD_E_SYNTAX, at, "%s", missing);
    for (size_t i = 0; i < config->server_count && t->mode == HERD_TLS_REQUIRE; i++)
        if (config->servers[i].plain)
            return herd_config_fail(reader, HERD_E_SYNTAX, at,
                                    "mode require, but server %s is plain, and a plain neighbour proves nothing",
                                    config->servers[i].name);
    return 0;
}
