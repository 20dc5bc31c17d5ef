/* SPDX-License-Identifier: MIT */
/* A stranger's program that uses the installed library: a line is parsed, and a server is made and freed. */
#include <herd/herd.h>

#include <event2/event.h>
#include <stdio.h>
#include <string.h>

int main(void)
{
    struct herd_command command;
    struct herd_config *config = NULL;
    struct herd_diagnostic diagnostic = {0};
    struct herd_server *server = NULL;
    struct event_base *base = event_base_new();
    char libraries[HERD_DEPENDENCY_VERSIONS_MAX];
    int status = 1;
    if (!base || strcmp(herd_version(), HERD_VERSION) != 0)
        return 1;
    if (herd_command_parse(herd_span_of("WHATSAT kiwi 10 5"), &command) != HERD_WHATSAT || command.bound != 5)
        goto out;
    if (herd_config_default(&config) < 0)
        goto out;
    const struct herd_server_options options = {
        .name = "Riley", .config = config, .dont_listen = true, .dont_dial = true};
    if (herd_server_new(&server, base, &options, &diagnostic) < 0)
        goto out;
    event_base_loop(base, EVLOOP_NONBLOCK);
    printf("libherd %s over %s\n", herd_version(), herd_dependency_versions(libraries));
    status = 0;
out:
    herd_server_free(server);
    herd_config_free(config);
    event_base_free(base);
    return status;
}
