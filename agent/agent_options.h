/* The agent's configuration: `evenkeel-agent --config FILE`. */
#ifndef AGENT_AGENT_OPTIONS_H
#define AGENT_AGENT_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/config.h"
#include "common/log_options.h"
#include "common/units.h"

struct aggregator_options {
    char *reports;   /* url of its reports socket */
    char *decisions; /* url of its decisions socket */
};

/* How a broker's processes are found; exactly one way must be set. */
struct match_options {
    char
        *cgroup; /* path below the hierarchy's root ("/evenkeel/n1"), the same in every hierarchy */
    char *pid_file;
    char *executable; /* last part of /proc/PID/exe, or a whole path when it holds a slash */
    char *arguments;  /* with `executable`: fnmatch(3) pattern over the arguments joined by spaces;
                         "" = any */
    char *container;  /* id of its container, or the first 12 or more digits of it */
    bool pod_mate;    /* the other container of the agent's pod; with `executable`: the one that
                         runs it */
    int64_t port;     /* TCP port that it listens on; 0 = none */
};

enum source_type {
    SOURCE_NONE,
    SOURCE_NATS,
};

struct source_options {
    int type;  /* enum source_type */
    char *url; /* "http://127.0.0.1:8222" */
    time_us interval_us;
    time_us timeout_us;
    int64_t body_bytes_max;
};

enum actuator_type {
    ACTUATOR_NONE,
    ACTUATOR_EXEC,
};

struct actuator_options {
    int type;                    /* enum actuator_type */
    struct option_texts command; /* argv; never a shell */
    time_us timeout_us;
};

struct broker_options {
    char *id;
    char *address; /* where clients reach it; may be "" */
    struct match_options match;
    char *data_directory;        /* "" = none */
    int64_t network_bytes_per_s; /* 0 = as the kernel says */
    struct source_options source;
    struct actuator_options actuator;
};

struct agent_config {
    char *node;    /* this host's id; "" = its host name */
    bool insecure; /* allow plain tcp to other hosts */
    time_us report_interval_us;
    char *proc_root;   /* "/proc" */
    char *cgroup_root; /* "" = found through mountinfo; else e.g. /host/sys/fs/cgroup */
    struct option_list aggregators; /* struct aggregator_options */
    struct option_list brokers;     /* struct broker_options */
    char *http_listen;              /* "127.0.0.1:7710"; "" = no HTTP */
    struct log_options log;
};

extern const struct option_row agent_rows[];

/* Read and check the whole of `path`; see config_read(). What rows cannot say is checked here: ids,
 * urls, one way to match a broker, unique ids, a command for exec, plain tcp beyond loopback only
 * when `insecure`.
 *
 * Returns 0, or what config_read() gives, with one line for people in `ret_error` (1024 bytes).
 * `ret_config` is released by agent_config_done(), which NULL and a zeroed one are fine for. */
int agent_config_read(const char *path, struct agent_config *ret_config, char *ret_error);

/* What holds without a file: every default, no aggregator and no broker. Returns 0, or as above. */
int agent_config_default(struct agent_config *ret_config, char *ret_error);

/* Release what the configuration holds. */
void agent_config_done(struct agent_config *config);

#endif
