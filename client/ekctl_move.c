/* ekctl's commands about moves. Shell: waits, and hears Ctrl-C. */
#include "client/ekctl.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client/ekctl_json.h"
#include "client/ekctl_table.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

/* Between two questions: well below what a person notices as late. */
#define FOLLOW_PAUSE_MS 200

/* Questions in a row that may go unanswered while a move is followed: an aggregator that restarts
 * is back within a few seconds, and each question waits for the connection anew. */
#define FOLLOW_FAILURES_MAX 5

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal)
{
    (void)signal;
    interrupted = 1;
}

/* From now on the first Ctrl-C ends the waiting, and a second one the process. */
static void catch_interrupt(void)
{
    struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = (int)SA_RESETHAND};

    (void)sigaction(SIGINT, &action, NULL);
}

static void pause_ms(long ms)
{
    struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    (void)nanosleep(&pause, NULL);
}

/* Show how the move is: in place on a terminal, else a line for each new state. */
static void show_progress(const struct ek_move *move, enum ek_move_state *shown, bool tty)
{
    char topic[EK_NAME_SIZE];

    if (!tty && *shown == move->state) {
        return;
    }
    memcpy(topic, move->topic, sizeof(topic));
    make_printable(topic);
    (void)fprintf(stderr, "%smove %" PRIu64 " of %s from %s to %s: %s (%s)%s", tty ? "\r" : "",
                  move->id, topic, move->from[0] != '\0' ? move->from : "-", move->to,
                  ek_move_state_name(move->state), human_seconds(move->seconds).text,
                  tty ? "\033[K" : "\n");
    *shown = move->state;
}

/* Ask for the move's state. Returns 0 or the error. */
static int refresh(struct ekctl *ekctl, struct ek_move *move)
{
    struct ek_moves *moves;
    int r = ek_moves(ekctl->client, move->id, &moves);

    if (r < 0) {
        return r;
    }
    /* After a restart of the aggregator, numbers begin anew: another move may have ours. */
    if (moves->n_moves == 0 || strcmp(moves->moves[0].topic, move->topic) != 0 ||
        strcmp(moves->moves[0].to, move->to) != 0) {
        r = -ENOENT;
    } else {
        *move = moves->moves[0];
    }
    ek_moves_free(moves);
    return r;
}

static bool is_passing(int error)
{
    return error == -EHOSTUNREACH || error == -ETIMEDOUT || error == -ECONNRESET ||
           error == -EAGAIN;
}

/* Follow the move to its end. Returns 0, -EINTR, or the error of the last question. */
static int follow(struct ekctl *ekctl, struct ek_move *move)
{
    bool tty = isatty(STDERR_FILENO) != 0;
    enum ek_move_state shown = 0;
    int n_failures = 0;
    int r = 0;

    catch_interrupt();
    show_progress(move, &shown, tty);
    while (move->state != EK_MOVE_ENDED && r == 0) {
        pause_ms(FOLLOW_PAUSE_MS);
        r = interrupted ? -EINTR : refresh(ekctl, move);
        n_failures = r == 0 ? 0 : n_failures + 1;
        if (r == 0) {
            show_progress(move, &shown, tty);
        } else if (is_passing(r) && n_failures < FOLLOW_FAILURES_MAX) {
            r = 0;
        }
    }
    if (tty) {
        (void)fputc('\n', stderr);
    }
    return r;
}

static char *moves_text(const struct ek_move *moves, size_t n)
{
    static const struct column columns[] = {
        {"ID", true},     {"TOPIC", false},   {"FROM", false}, {"TO", false},
        {"STATE", false}, {"OUTCOME", false}, {"TOOK", true},  {"TEXT", false},
    };
    struct table *table = table_new(columns, N(columns));
    char *text;

    for (size_t i = 0; i < n; i++) {
        const struct ek_move *move = &moves[i];
        bool ended = move->state == EK_MOVE_ENDED;

        if (move->id != 0) {
            table_cell(table, "%" PRIu64, move->id);
        } else {
            table_cell(table, "-"); /* a dry run */
        }
        table_cell(table, "%s", move->topic);
        table_cell(table, "%s", move->from);
        table_cell(table, "%s", move->to);
        table_cell(table, "%s", ek_move_state_name(move->state));
        table_cell(table, "%s", ended ? ek_move_outcome_name(move->outcome) : "");
        table_cell(table, "%s", human_seconds(move->seconds).text);
        table_cell(table, "%s", move->text);
    }
    text = table_text(table);
    table_free(table);
    return text;
}

/* The exit code of a move as far as it is known. */
static int move_exit(const struct ek_move *move, bool dry_run)
{
    if (dry_run && strcmp(move->from, move->to) == 0) {
        return EKCTL_NOTHING;
    }
    if (move->state != EK_MOVE_ENDED) {
        return EKCTL_OK;
    }
    switch (move->outcome) {
    case EK_UNDECIDED:
    case EK_MOVED:
        return EKCTL_OK;
    case EK_NOOP:
        return dry_run ? EKCTL_NOTHING : EKCTL_OK;
    case EK_REFUSED:
        return EKCTL_REFUSED;
    case EK_TIMED_OUT:
        return EKCTL_TRY_AGAIN;
    case EK_ELSEWHERE:
    case EK_FAILED:
        break;
    }
    return EKCTL_FAILED;
}

int ekctl_move(struct ekctl *ekctl)
{
    const struct ekctl_options *options = &ekctl->options;
    struct ek_move move;
    int r = ek_move(ekctl->client, options->argument, options->to, options->dry_run, &move);

    if (r < 0) {
        return ekctl_fail(ekctl, r);
    }
    if (options->wait && !options->dry_run) {
        r = follow(ekctl, &move);
    }
    if (r == -EINTR) {
        (void)fprintf(stderr,
                      "ekctl: no longer waiting; the move goes on: ekctl moves %" PRIu64 "\n",
                      move.id);
        return EKCTL_INTERRUPTED;
    }
    if (r < 0) {
        return ekctl_fail(ekctl, r);
    }
    return ekctl_print(options->output == OUTPUT_JSON ? json_move(&move, options->dry_run)
                                                      : moves_text(&move, 1),
                       move_exit(&move, options->dry_run));
}

/* A move's id: digits only, and not 0. Returns 0 or -1. */
static int read_id(const char *text, uint64_t *ret_id)
{
    char *end;
    uint64_t id;

    errno = 0;
    id = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || id == 0) {
        return -1;
    }
    *ret_id = id;
    return 0;
}

int ekctl_moves(struct ekctl *ekctl)
{
    const char *argument = ekctl->options.argument;
    struct ek_moves *moves;
    uint64_t id = 0;
    char *text;
    int r;

    if (argument != NULL && read_id(argument, &id) < 0) {
        (void)fprintf(stderr, "ekctl: %s is not the number of a move\n", argument);
        return EKCTL_USAGE;
    }
    r = ek_moves(ekctl->client, id, &moves);
    if (r < 0) {
        return ekctl_fail(ekctl, r);
    }
    text = ekctl->options.output == OUTPUT_JSON ? json_moves(moves)
                                                : moves_text(moves->moves, moves->n_moves);
    ek_moves_free(moves);
    return ekctl_print(text, EKCTL_OK);
}
