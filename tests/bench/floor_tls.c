/* SPDX-License-Identifier: MIT */
/*
 * The floor of handshakes: OpenSSL in a bare loop, one connection after the other: handshake, one read echoed, goodbye.
 *
 *     floor-tls PORT CERTIFICATE KEY [CA]      with CA: clients show a certificate too
 */
#include "edge.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static SSL_CTX *context(int argc, char **argv)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

    if (ctx == NULL || SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) != 1 ||
        SSL_CTX_use_certificate_chain_file(ctx, argv[2]) != 1 ||
        SSL_CTX_use_PrivateKey_file(ctx, argv[3], SSL_FILETYPE_PEM) != 1 ||
        (argc > 4 && SSL_CTX_load_verify_locations(ctx, argv[4], NULL) != 1))
        die("%s: %s", argv[2], ERR_error_string(ERR_peek_error(), NULL));
    SSL_CTX_set_num_tickets(ctx, 0);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    if (argc > 4)
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    return ctx;
}

static void serve(SSL_CTX *ctx, int fd)
{
    char text[4096];
    SSL *ssl = SSL_new(ctx);
    int n;

    if (ssl == NULL || SSL_set_fd(ssl, fd) != 1)
        die("no session");
    if (SSL_accept(ssl) == 1) {
        while ((n = SSL_read(ssl, text, sizeof(text))) > 0)
            SSL_write(ssl, text, n);
        SSL_shutdown(ssl);
    }
    ERR_clear_error();
    SSL_free(ssl);
}

int main(int argc, char **argv)
{
    if (argc != 4 && argc != 5)
        die("usage: floor-tls PORT CERTIFICATE KEY [CA]");
    signal(SIGPIPE, SIG_IGN);
    SSL_CTX *ctx = context(argc, argv);
    struct pollfd listener = {.fd = listen_on((uint16_t)number_of(argv[1], "the port", 1, 65535), 4096),
                              .events = POLLIN};
    for (;;) {
        int fd = accept4(listener.fd, NULL, NULL, SOCK_CLOEXEC);

        if (fd < 0 && errno == EAGAIN) {
            poll(&listener, 1, -1);
            continue;
        }
        if (fd < 0)
            die("accept: %s", strerror(errno));
        serve(ctx, fd);
        close(fd);
    }
}
