/* NATS's pages against any bytes. Blanks before the page choose: a space reads it as /varz, a line
 * feed in small pieces. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/nats.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static struct nats_answer answer;
static struct nats_answer before;
static struct report report;

static int read_page(const uint8_t *bytes, size_t n, enum nats_page page, size_t n_piece)
{
    struct nats_parser *parser;
    int r;

    r = nats_parser_new(page, &answer, &parser);
    if (r < 0) {
        return r;
    }
    for (size_t i = 0; r == 0 && i < n; i += n_piece) {
        r = nats_parse(parser, (const char *)bytes + i, MIN(n_piece, n - i));
    }
    if (r == 0) {
        r = nats_parse_end(parser);
    }
    nats_parser_free(parser);
    return r;
}

/* Whatever was read must make a report that may be believed. */
static void check_report(void)
{
    struct broker_load *broker;
    char why[TEXT_BYTES_MAX + 1];

    report_clear(&report);
    memcpy(report.node, "n", 2);
    report.boot_id = 1;
    report.seq = 1;
    report.interval_us = SECONDS(5);
    broker = report_add_broker(&report);
    memcpy(broker->id, "b", 2);
    broker->state = BROKER_UP;
    nats_fill(&answer, &report, broker);
    if (report_check(&report, why) < 0) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    const uint8_t head = n > 0 ? bytes[0] : 0;
    const enum nats_page page = head == ' ' ? NATS_VARZ : NATS_JSZ;

    nats_answer_clear(&answer);
    memcpy(answer.server_name, "n3", 3);
    answer.at_us = SECONDS(10);
    if (read_page(bytes, n, page, head == '\n' ? 5 : 4096) == 0) {
        nats_answer_finish(&answer);
        nats_rate(&before, &answer);
        check_report();
    }
    return 0;
}
