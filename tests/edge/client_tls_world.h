/* SPDX-License-Identifier: MIT */
/* Servers with TLS and identities in this process, for tests of the client. */
#ifndef TEST_EDGE_CLIENT_TLS_WORLD_H
#define TEST_EDGE_CLIENT_TLS_WORLD_H

#include "client_world.h"

#include "../unit/edge/tls_pair.h"

#include <herd/config.h>

#include <fcntl.h>
#include <unistd.h>

static struct tls_files files;
static char token[HERD_TOKEN_SIZE], proof[HERD_TOKEN_PROOF_SIZE];

static inline void make_files(void)
{
    char text[512];
    tls_files_init(&files);
    tls_issue(&files, "Riley", (struct pki_options){.san = "URI:herd://h/server/Riley,DNS:riley.example"});
    tls_issue(&files, "Local", (struct pki_options){.san = "URI:herd://h/server/Local,DNS:localhost"});
    tls_issue(&files, "kiwi", (struct pki_options){.san = "URI:herd://h/client/kiwi"});
    tls_issue(&files, "stranger", (struct pki_options){.san = "URI:herd://h/client/kiwi", .issuer = &files.other});
    assert_int_equal(herd_token_new(token, proof), 0);
    int fd = open(tls_path(&files, "identities"), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    int len = snprintf(text, sizeof text, "kiwi cert kiwi* kiwi*\nfleet %s id*,kiwi id*,kiwi,nobody\n", proof);
    assert_int_equal(write(fd, text, (size_t)len), len);
    close(fd);
}

/* The configuration of a world: "off", "allow" or "require". */
static inline void configure(struct world *w, const char *mode, bool identities)
{
    char json[2048], tls[1024] = "";
    struct herd_diagnostic diagnostic;
    if (strcmp(mode, "off") != 0)
        snprintf(tls, sizeof tls, ",\"tls\":{\"mode\":\"%s\",\"certificate\":\"%s\",\"key\":\"%s\",\"ca\":\"%s\"}",
                 mode, tls_path(&files, "Riley.pem"), tls_path(&files, "Riley.key"), tls_path(&files, "ca.pem"));
    snprintf(json, sizeof json, "{\"servers\":{\"Riley\":{\"port\":1}},\"links\":[],\"herd\":\"h\"%s%s%s%s}", tls,
             identities ? ",\"identities\":\"" : "", identities ? tls_path(&files, "identities") : "",
             identities ? "\"" : "");
    herd_config_free(w->config);
    w->config = NULL;
    if (herd_config_parse(&w->config, herd_span_of(json), &diagnostic) < 0)
        fail_msg("%s", diagnostic.message);
    w->config->servers[0].port = 0;
}

#endif
