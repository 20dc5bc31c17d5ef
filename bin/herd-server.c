/* SPDX-License-Identifier: MIT */
/* herd-server: one server of a herd, from the command line. Public headers only. */
#include "loop_log.h"
#include "service.h"
#include "start_watch.h"
#include "status.h"

#include <herd/herd.h>

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* EXIT_RUNNING: starting again may help (a full disk, a port in use); EXIT_USAGE: only editing does. */
enum { EXIT_RUNNING = 1, EXIT_USAGE = 2, SIGNALS = 3 };

/* How long SIGTERM waits for what is still owed; a second signal waits no longer. */
#define STOP_PATIENCE_MS 5000

static const char usage_text[] =
    "usage: herd-server [options] NAME\n"
    "\n"
    "Runs the server NAME of a herd: it keeps the newest location of each client,\n"
    "sends it to its neighbours, and answers which places are near a client.\n"
    "\n"
    "  -c, --config FILE    the herd (JSON); default: the built-in five-server herd\n"
    "  -l, --log FILE       default NAME.log in the working directory; - for standard error\n"
    "      --check          read the configuration and open what it names (keys, files of places,\n"
    "                       the folders of log and journal, the host of NAME), print all that is\n"
    "                       wrong with its place in the file, exit\n"
    "      --print-config   the configuration in force, as JSON (no secrets)\n"
    "      --status         ask the running servers of the configuration, or NAME, over HTTP how they\n"
    "                       are; HERD_TOKEN_FILE names a file with the token of an identity with admin\n"
    "      --verify         the same, for up to three seconds until all are up and hold the same\n"
    "                       state; exit 0 only then\n"
    "      --token IDENTITY print a new token, and its line for the file of identities, exit\n"
    "  -h, --help           this text\n"
    "  -V, --version        the version of this program and of the libraries under it\n"
    "\n"
    "SIGTERM and SIGINT stop gracefully. SIGHUP opens the log anew and reads the configuration and\n"
    "the files it names again; the log says what changed, and what needs a restart.\n"
    "Exit status: 0; 1: something failed that may work next time (a full disk, a port in use, a\n"
    "file or folder that is missing); 2: usage, or a configuration that is wrong or missing, which\n"
    "somebody has to edit.\n";

struct options {
    const char *config, *log, *name, *token;
    bool check, print_config, status, verify;
};

struct program {
    struct event_base *base;
    const struct options *options;
    struct herd_config *config; /* in force; owned */
    struct herd_server *server;
    struct herd_logfile *logfile;
    struct herd_log *log;
    struct event *signals[SIGNALS];
    bool stopping;
    struct event *watchdog;
};

/* The exit status after text for standard output. */
static int printed(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return EXIT_SUCCESS;
    fprintf(stderr, "herd-server: cannot write to standard output: %s\n", strerror(errno));
    return EXIT_RUNNING;
}

/* The options, or an exit status: -1 to go on. */
static int parse_options(int argc, char **argv, struct options *ret)
{
    enum { OPT_CHECK = 256, OPT_PRINT, OPT_TOKEN, OPT_STATUS, OPT_VERIFY };
    static const struct option longs[] = {
        {"config", required_argument, NULL, 'c'},      {"log", required_argument, NULL, 'l'},
        {"check", no_argument, NULL, OPT_CHECK},       {"print-config", no_argument, NULL, OPT_PRINT},
        {"status", no_argument, NULL, OPT_STATUS},     {"verify", no_argument, NULL, OPT_VERIFY},
        {"token", required_argument, NULL, OPT_TOKEN}, {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},           {NULL, 0, NULL, 0},
    };
    for (int c; (c = getopt_long(argc, argv, "c:l:hV", longs, NULL)) != -1;) {
        switch (c) {
        case 'c': ret->config = optarg; break;
        case 'l': ret->log = optarg; break;
        case OPT_CHECK: ret->check = true; break;
        case OPT_PRINT: ret->print_config = true; break;
        case OPT_STATUS: ret->status = true; break;
        case OPT_VERIFY: ret->verify = true; break;
        case OPT_TOKEN: ret->token = optarg; break;
        case 'h': fputs(usage_text, stdout); return printed();
        case 'V': {
            char libraries[HERD_DEPENDENCY_VERSIONS_MAX];
            printf("herd-server %s (%s)\n", herd_version(), herd_dependency_versions(libraries));
            return printed();
        }
        default: fputs("try: herd-server --help\n", stderr); return EXIT_USAGE;
        }
    }
    if (optind < argc)
        ret->name = argv[optind++];
    if (optind < argc) {
        fprintf(stderr, "herd-server: one NAME is enough, found also: %s\ntry: herd-server --help\n", argv[optind]);
        return EXIT_USAGE;
    }
    if (!ret->name && !ret->check && !ret->print_config && !ret->token && !ret->status && !ret->verify) {
        fputs("herd-server: which server? NAME is missing\ntry: herd-server --help\n", stderr);
        return EXIT_USAGE;
    }
    return -1;
}

static void complain(const char *path, const struct herd_diagnostic *diagnostic)
{
    if (path && diagnostic->line)
        fprintf(stderr, "%s:%u:%u: %s\n", path, diagnostic->line, diagnostic->column, diagnostic->message);
    else
        fprintf(stderr, "herd-server: %s%s%s\n", path ? path : "", path ? ": " : "", diagnostic->message);
}

static int read_config(const char *path, struct herd_config **ret_config, struct herd_diagnostic *reterr_diagnostic)
{
    *reterr_diagnostic = (struct herd_diagnostic){0};
    int err = path ? herd_config_read(ret_config, path, reterr_diagnostic) : herd_config_default(ret_config);
    if (err < 0 && !reterr_diagnostic->message[0])
        snprintf(reterr_diagnostic->message, sizeof reterr_diagnostic->message, "%s", herd_strerror(err));
    return err;
}

/* Whether somebody has to edit something before it makes sense to start again. */
static int exit_status(int err)
{
    switch (err) {
    case HERD_E_SYNTAX:
    case HERD_E_RANGE:
    case HERD_E_ARG:
    case HERD_E_NOTFOUND:
    case HERD_E_UNSUPPORTED:
    case HERD_E_ACCESS: return EXIT_USAGE;
    default: return EXIT_RUNNING;
    }
}

/* Keeps the process' memory out of core files, and away from other processes of its user, if a key will be in it: the
 * HTTP and TLS libraries have copies that nobody can wipe. Called before the key is read. */
static void protect_keys(const struct herd_config *config)
{
    bool keys = config->secret_file || config->psk_file || config->tls.key;
    for (size_t i = 0; i < config->provider_count; i++)
        if (config->providers[i].key_file || config->providers[i].key_env)
            keys = true;
    if (keys)
        (void)prctl(PR_SET_DUMPABLE, 0L, 0L, 0L, 0L);
}

static bool name_known(const struct herd_config *config, const char *name)
{
    if (herd_config_find(config, herd_span_of(name)) >= 0)
        return true;
    fprintf(stderr, "herd-server: no server \"%s\" in the configuration; there is:", name);
    for (size_t i = 0; i < config->server_count; i++)
        fprintf(stderr, " %s", config->servers[i].name);
    fputc('\n', stderr);
    return false;
}

static int ask_status(const struct herd_config *config, const struct options *options)
{
    const enum status status = status_print(config, options->name, options->verify);
    const int written = printed();
    if (status == STATUS_REFUSED)
        return EXIT_USAGE;
    return status == STATUS_UNWELL && options->verify ? EXIT_RUNNING : written;
}

static int print_config(const struct herd_config *config)
{
    struct herd_buf text = {0};
    int err = herd_config_print(config, &text);
    if (err >= 0 && (fwrite(text.at, 1, text.len, stdout) != text.len || fflush(stdout) != 0))
        err = HERD_E_IO;
    herd_buf_fini(&text);
    if (err < 0)
        fprintf(stderr, "herd-server: %s\n", herd_strerror(err));
    return err < 0 ? EXIT_RUNNING : EXIT_SUCCESS;
}

/* ---- checking ---- */

struct checking {
    const char *path;
    bool faulty;
};

static void on_finding(void *ctx, int err, const struct herd_diagnostic *diagnostic)
{
    struct checking *checking = ctx;
    struct herd_diagnostic warning = *diagnostic;
    if (err >= 0)
        snprintf(warning.message, sizeof warning.message, "%s: %.240s", err == HERD_CHECK_NOTE ? "note" : "warning",
                 diagnostic->message);
    checking->faulty |= err < 0;
    complain(checking->path, &warning);
}

/* Whether the log could be written: its file, or one in its folder. */
static bool log_usable(const char *file)
{
    struct stat there;
    if (strcmp(file, "-") == 0)
        return true;
    char *folder = stat(file, &there) == 0 ? NULL : strdup(file);
    const char *slash = folder ? strrchr(folder, '/') : NULL;
    if (slash)
        folder[slash == folder ? 1 : slash - folder] = '\0';
    bool usable = access(folder ? (slash ? folder : ".") : file, folder ? W_OK | X_OK : W_OK) == 0;
    if (!usable)
        fprintf(stderr, "herd-server: cannot write the log %s: %s\n", file, strerror(errno));
    free(folder);
    return usable;
}

static int check(const struct options *options)
{
    struct checking checking = {.path = options->config};
    int err = herd_server_check(options->config, options->name, on_finding, &checking);
    if (options->log)
        checking.faulty |= !log_usable(options->log);
    return err < 0 || checking.faulty ? EXIT_USAGE : EXIT_SUCCESS;
}

/* ---- tokens ---- */

/* The token is shown this once: only what proves it is kept, in the file of identities. It may report and ask for the
 * client of its own name until somebody edits the line. */
static int print_token(const char *identity)
{
    char token[HERD_TOKEN_SIZE], proof[HERD_TOKEN_PROOF_SIZE];
    if (!herd_name_valid(herd_span_of(identity)) || strcmp(identity, HERD_IDENTITY_ANONYMOUS) == 0) {
        fputs("herd-server: an identity has 1 to 64 bytes of A-Z a-z 0-9 . _ -, and \"anonymous\" has no token\n",
              stderr);
        return EXIT_USAGE;
    }
    int err = herd_token_new(token, proof);
    if (err < 0) {
        fprintf(stderr, "herd-server: cannot make a token: %s\n", herd_strerror(err));
        return exit_status(err);
    }
    /* An id that would be read as a proof, or as none, has its first byte escaped. */
    char id[HERD_NAME_MAX + sizeof "%00"];
    if (strcmp(identity, "cert") == 0 || strcmp(identity, "-") == 0)
        snprintf(id, sizeof id, "%%%02x%s", (unsigned)identity[0], identity + 1);
    else
        snprintf(id, sizeof id, "%s", identity);
    printf("%s\n%s  %s  %s  %s\n", token, identity, proof, id, id);
    int status = printed();
    memset(token, 0, sizeof token);
    return status;
}

/* ---- running ---- */

static void on_stopped(void *ctx)
{
    struct program *program = ctx;
    event_base_loopexit(program->base, NULL);
}

/* Events of a signal carry its time, not that of the loop's last turn. */
static void set_log_time(struct program *program)
{
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now) == 0)
        herd_log_set_time(program->log, (int64_t)now.tv_sec * 1000000000 + now.tv_nsec);
}

/* Blocks the signals that the loop took: one that comes when the loop has ended must not kill a server that is about
 * to report how it stopped. */
static void block_signals(void)
{
    sigset_t stopping;
    sigemptyset(&stopping);
    sigaddset(&stopping, SIGTERM);
    sigaddset(&stopping, SIGINT);
    sigaddset(&stopping, SIGHUP);
    sigprocmask(SIG_BLOCK, &stopping, NULL);
}

static void on_stop_signal(evutil_socket_t signal_number, short what, void *ctx)
{
    (void)what;
    struct program *program = ctx;
    struct herd_log_field field = herd_log_int("signal", signal_number);
    set_log_time(program);
    herd_log_event(program->log, HERD_LOG_INFO, "signal", &field, 1);
    if (program->stopping)
        event_base_loopbreak(program->base);
    program->stopping = true;
    service_notify("STOPPING=1");
    herd_server_stop(program->server, STOP_PATIENCE_MS);
}

static void reopen_log(struct program *program)
{
    herd_log_flush(program->log);
    int err = herd_logfile_reopen(program->logfile);
    struct herd_log_field field = herd_log_text("why", strerror(errno));
    herd_log_set_aligned(program->log, herd_logfile_offset(program->logfile));
    if (err < 0) /* how the attempt ends the file says itself */
        herd_log_event(program->log, HERD_LOG_ERROR, "log_reopen_failed", &field, 1);
}

static void reload_failed(struct program *program, const char *path, const struct herd_diagnostic *diagnostic)
{
    char place[48] = "";
    if (diagnostic->line)
        snprintf(place, sizeof place, "%u:%u", diagnostic->line, diagnostic->column);
    struct herd_log_field fields[] = {
        herd_log_text("file", path ? path : "built-in"),
        herd_log_text("at", place),
        herd_log_text("why", diagnostic->message),
    };
    herd_log_event(program->log, HERD_LOG_ERROR, "configuration_kept", fields, 3);
}

/* The configuration is read again, or the one in force stays. The built-in one cannot have changed. */
static void on_reload_signal(evutil_socket_t signal_number, short what, void *ctx)
{
    (void)what;
    struct program *program = ctx;
    const char *path = program->options->config;
    struct herd_config *config = NULL;
    struct herd_diagnostic diagnostic = {0};
    if (program->stopping)
        return;
    set_log_time(program);
    struct herd_log_field field = herd_log_int("signal", signal_number);
    herd_log_event(program->log, HERD_LOG_INFO, "signal", &field, 1);
    reopen_log(program);
    int err = path ? read_config(path, &config, &diagnostic) : 0;
    if (err >= 0 && config)
        protect_keys(config);
    if (err >= 0)
        err = herd_server_reload(program->server, config, &diagnostic);
    if (err < 0) {
        reload_failed(program, path, &diagnostic);
        herd_config_free(config);
    } else if (config) {
        herd_config_free(program->config);
        program->config = config;
    }
    herd_log_flush(program->log);
}

/* Before the server is made: a signal that comes meanwhile is kept until the loop runs. */
static int catch_signals(struct program *program)
{
    static const int numbers[SIGNALS] = {SIGTERM, SIGINT, SIGHUP};
    for (int i = 0; i < SIGNALS; i++) {
        event_callback_fn act = numbers[i] == SIGHUP ? on_reload_signal : on_stop_signal;
        program->signals[i] = evsignal_new(program->base, numbers[i], act, program);
        if (!program->signals[i] || event_add(program->signals[i], NULL) < 0)
            return HERD_E_NOMEM;
    }
    return 0;
}

/* From the loop itself: a program whose loop hangs says nothing. */
static void on_watchdog(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    (void)ctx;
    service_notify("WATCHDOG=1");
}

static int feed_watchdog(struct program *program)
{
    int64_t half_us = service_watchdog_us() / 2;
    struct timeval interval = {(time_t)(half_us / 1000000), (suseconds_t)(half_us % 1000000)};
    if (half_us == 0)
        return 0;
    program->watchdog = event_new(program->base, -1, EV_PERSIST, on_watchdog, NULL);
    return program->watchdog && event_add(program->watchdog, &interval) == 0 ? 0 : HERD_E_NOMEM;
}

static int open_log(struct program *program, const struct options *options, const struct herd_config *config)
{
    char path[HERD_NAME_MAX + sizeof ".log"];
    if (snprintf(path, sizeof path, "%s.log", options->name) >= (int)sizeof path)
        return HERD_E_ARG;
    const char *file = options->log ? options->log : path;
    int err = herd_logfile_open(&program->logfile, file);
    if (err < 0) {
        fprintf(stderr, "herd-server: cannot write the log %s: %s\n", file, strerror(errno));
        return err;
    }
    if (herd_logfile_start(program->logfile, 0) < 0) {
        fputs("herd-server: cannot start the thread that writes the log\n", stderr);
        return HERD_E_NOMEM;
    }
    const struct herd_log_options log_options = {
        .level = config->log_level,
        .traffic = config->log_traffic,
        .sink = herd_logfile_sink,
        .sink_ctx = program->logfile,
    };
    err = herd_log_new(&program->log, &log_options);
    if (err < 0)
        fprintf(stderr, "herd-server: %s\n", herd_strerror(err));
    else
        herd_log_set_aligned(program->log, herd_logfile_offset(program->logfile));
    return err;
}

/* Takes the configuration over. */
static int run(const struct options *options, struct herd_config *config)
{
    struct program program = {.options = options, .config = config};
    struct herd_diagnostic diagnostic = {0};
    int status = EXIT_RUNNING, unused_sockets;

    protect_keys(config);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is a full disk */
    start_watch_begin();
    if (open_log(&program, options, config) < 0)
        goto out;
    loop_log_to(program.log);
    program.base = event_base_new();
    if (!program.base || catch_signals(&program) < 0 || feed_watchdog(&program) < 0) {
        fputs("herd-server: cannot make an event loop\n", stderr);
        goto out;
    }
    const struct herd_server_options server_options = {
        .name = options->name,
        .config = config,
        .log = program.log,
        .hooks = {.ctx = &program, .stopped = on_stopped},
        .listen_fd = service_listen_fd(&unused_sockets),
    };
    if (unused_sockets > 0) {
        fprintf(stderr, "herd-server: expected one socket to listen on, got %d more\n", unused_sockets);
        status = EXIT_USAGE;
        goto out;
    }
    int err = herd_server_new(&program.server, program.base, &server_options, &diagnostic);
    if (err < 0) {
        complain(NULL, &diagnostic);
        status = exit_status(err);
        goto out;
    }
    start_watch_end();
    service_notify("READY=1");
    if (event_base_dispatch(program.base) < 0)
        fprintf(stderr, "herd-server: %s\n", herd_strerror(HERD_E_IO));
    else
        status = herd_server_unsaved(program.server) > 0 ? EXIT_RUNNING : EXIT_SUCCESS; /* the log says how many */

out:
    start_watch_end();
    block_signals();
    herd_server_free(program.server);
    loop_log_to(NULL);
    herd_log_free(program.log);
    herd_logfile_close(program.logfile);
    for (int i = 0; i < SIGNALS; i++)
        if (program.signals[i])
            event_free(program.signals[i]);
    if (program.watchdog)
        event_free(program.watchdog);
    if (program.base)
        event_base_free(program.base);
    libevent_global_shutdown();
    herd_config_free(program.config);
    return status;
}

/* Files of ours must not get the numbers of the standard streams, where something may be written that is not for
 * them. */
static bool open_standard_streams(void)
{
    for (;;) {
        int fd = open("/dev/null", O_RDWR);
        if (fd < 0)
            return false;
        if (fd > STDERR_FILENO) {
            close(fd);
            return true;
        }
    }
}

int main(int argc, char **argv)
{
    struct options options = {0};
    if (!open_standard_streams())
        return EXIT_RUNNING;
    int status = parse_options(argc, argv, &options);
    if (status >= 0)
        return status;
    if (options.token)
        return print_token(options.token);
    if (options.check)
        return check(&options);
    struct herd_config *config = NULL;
    struct herd_diagnostic diagnostic;
    int err = read_config(options.config, &config, &diagnostic);
    if (err < 0) {
        complain(options.config, &diagnostic);
        return err == HERD_E_NOMEM ? EXIT_RUNNING : EXIT_USAGE;
    }
    if (options.name && !name_known(config, options.name))
        status = EXIT_USAGE;
    else if (options.print_config)
        status = print_config(config);
    else if (options.status || options.verify)
        status = ask_status(config, &options);
    else
        return run(&options, config);
    herd_config_free(config);
    return status;
}
