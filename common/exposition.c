/* Prometheus text exposition (format 0.0.4). */
#include "common/exposition.h"

#include "common/scalar.h"

/* Escape what the format gives a meaning: backslash and newline, and quotes in label values. */
static void put_escaped(struct buffer *buffer, const char *text, bool quotes)
{
    for (; *text != '\0'; text++) {
        if (*text == '\n') {
            buffer_put(buffer, "\\n", 2);
        } else if (*text == '\\' || (*text == '"' && quotes)) {
            buffer_put(buffer, "\\", 1);
            buffer_put(buffer, text, 1);
        } else {
            buffer_put(buffer, text, 1);
        }
    }
}

void exposition_family(struct buffer *buffer, const char *name, enum exposition_type type,
                       const char *help)
{
    buffer_print(buffer, "# HELP %s ", name);
    put_escaped(buffer, help, false);
    buffer_print(buffer, "\n# TYPE %s %s\n", name,
                 type == EXPOSITION_COUNTER ? "counter" : "gauge");
}

void exposition_sample(struct buffer *buffer, const char *name,
                       const struct exposition_label *labels, size_t n_labels, double value)
{
    char text[SCALAR_BYTES];

    scalar_put_real(value, text);
    buffer_print(buffer, "%s", name);
    for (size_t i = 0; i < n_labels; i++) {
        buffer_print(buffer, "%s%s=\"", i == 0 ? "{" : ",", labels[i].name);
        put_escaped(buffer, labels[i].value, true);
        buffer_put(buffer, "\"", 1);
    }
    buffer_print(buffer, "%s %s\n", n_labels > 0 ? "}" : "", text);
}

void exposition_single(struct buffer *buffer, const char *name, enum exposition_type type,
                       const char *help, double value)
{
    exposition_family(buffer, name, type, help);
    exposition_sample(buffer, name, NULL, 0, value);
}

void exposition_process(struct buffer *buffer, const struct process_usage *usage)
{
    exposition_single(buffer, "process_cpu_seconds_total", EXPOSITION_COUNTER,
                      "CPU time spent, user and system together.", usage->cpu_s);
    exposition_single(buffer, "process_resident_memory_bytes", EXPOSITION_GAUGE,
                      "Memory held in RAM.", usage->resident_bytes);
    exposition_single(buffer, "process_open_fds", EXPOSITION_GAUGE, "Open file descriptors.",
                      usage->open_fds);
    exposition_single(buffer, "process_start_time_seconds", EXPOSITION_GAUGE,
                      "When the process started, in seconds since 1970.", usage->start_unix_s);
}
