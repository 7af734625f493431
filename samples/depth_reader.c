/* Reads the latest tick of instruments from qamd's depth segment, without any library.
 *
 * Build:  cc -O2 -Wall -Wextra -I../shm-layout/include depth_reader.c -o depth_reader
 * Usage:  depth_reader [--segment NAME] [--count LINES] [--seconds S] [rb2601 | SHFE.rb2601]...
 *
 * Prints one line of JSON for each instrument (all that have ticks when none is named): instrument, exchange, the exchange's time
 * in nanoseconds since 1970-01-01 UTC, last price, best bid and ask, volume; null where there is no value. With --count or
 * --seconds it goes on: a line whenever one of them has had a tick, and a segment that is replaced is opened anew.
 * Exit: 0 done, 1 a fault or an instrument that is not there, 2 usage, 3 not ready: there is no such segment (yet).
 */
#define _POSIX_C_SOURCE 200809L /* nanosleep, also with -std=c11; the header needs no such thing */

#include "qamd_depth.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct followed {
    const char *name; /* NULL: by its slot */
    int64_t slot;     /* -1: not found yet */
    uint64_t updates; /* those that were printed */
} followed;

static void print_price(const char *name, double price) {
    if (qamd_has_price(price)) {
        printf(",\"%s\":%.17g", name, price);
    } else {
        printf(",\"%s\":null", name);
    }
}

static void print_tick(const qamd_tick *tick) {
    printf("{\"instrument\":\"%.80s\",\"exchange\":\"%.8s\",\"time\":", tick->instrument_id, tick->exchange_id);
    if (tick->exchange_time_ns == QAMD_NO_TIME) {
        printf("null");
    } else {
        printf("%" PRId64, tick->exchange_time_ns);
    }
    print_price("last", tick->last_price);
    print_price("bid1", tick->levels[0].bid_price);
    print_price("ask1", tick->levels[0].ask_price);
    printf(",\"volume\":%" PRId32 "}\n", tick->volume);
    fflush(stdout);
}

/* Prints what is new, at most `most` lines (-1: any). Returns how many it printed. */
static long look(const qamd_depth *depth, followed *all, size_t length, long most) {
    long printed = 0;
    size_t index;
    for (index = 0; index < length && printed != most; index++) {
        followed *one = &all[index];
        uint64_t updates;
        qamd_tick tick;
        if (one->slot < 0 && one->name != NULL) one->slot = qamd_depth_find(depth, one->name);
        updates = qamd_depth_updates(depth, one->slot);
        if (updates == one->updates || qamd_depth_read(depth, one->slot, &tick) != QAMD_DEPTH_OK) continue;
        one->updates = updates;
        print_tick(&tick);
        printed++;
    }
    return printed;
}

/* After the segment was replaced: opens the new one, and forgets the slots. */
static void open_anew(const char *segment, qamd_depth *depth, followed *all, size_t length) {
    size_t index;
    qamd_depth_close(depth);
    if (qamd_depth_open(segment, depth) != QAMD_DEPTH_OK) return;
    for (index = 0; index < length; index++) {
        all[index].updates = 0;
        if (all[index].name != NULL) all[index].slot = -1;
    }
}

static double now_seconds(void) {
    struct timespec now;
    timespec_get(&now, TIME_UTC);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int usage(void) {
    fprintf(stderr, "usage: depth_reader [--segment NAME] [--count LINES] [--seconds S] [rb2601 | SHFE.rb2601]...\n");
    return 2;
}

static int run(const char *segment, qamd_depth *depth, followed *all, size_t length, long count, double seconds) {
    const struct timespec pause = {0, 1000000};
    double end = now_seconds() + seconds, looked_at = now_seconds();
    long printed = look(depth, all, length, count > 0 ? count : -1);
    size_t index;
    while ((count > 0 || seconds > 0) && (count == 0 || printed < count) && (seconds <= 0 || now_seconds() < end)) {
        nanosleep(&pause, NULL);
        if (now_seconds() - looked_at > 0.5) {
            looked_at = now_seconds();
            if (!qamd_depth_is_current(depth)) open_anew(segment, depth, all, length);
        }
        printed += look(depth, all, length, count > 0 ? count - printed : -1);
    }
    for (index = 0; index < length; index++) {
        if (all[index].slot >= 0) continue;
        fprintf(stderr, "%s is not there\n", all[index].name);
        return 1;
    }
    return 0;
}

int main(int argc, char **argv) {
    const char *segment = NULL;
    double seconds = 0;
    long count = 0;
    qamd_depth depth;
    qamd_depth_state state;
    size_t names = 0, length, index;
    followed *all;
    int at, outcome;
    for (at = 1; at < argc; at++) {
        if (strncmp(argv[at], "--", 2) != 0) {
            argv[names++] = argv[at];
        } else if (at + 1 == argc) {
            return usage();
        } else if (strcmp(argv[at], "--segment") == 0) {
            segment = argv[++at];
        } else if (strcmp(argv[at], "--count") == 0 && atol(argv[at + 1]) > 0) {
            count = atol(argv[++at]);
        } else if (strcmp(argv[at], "--seconds") == 0 && atof(argv[at + 1]) > 0) {
            seconds = atof(argv[++at]);
        } else {
            return usage();
        }
    }
    state = qamd_depth_open(segment, &depth);
    if (state != QAMD_DEPTH_OK) {
        fprintf(stderr, "%s: %s\n", segment == NULL ? QAMD_DEPTH_NAME : segment, qamd_depth_state_text(state));
        return state == QAMD_DEPTH_NOT_READY ? 3 : 1;
    }
    length = names > 0 ? names : (size_t)qamd_depth_count(&depth);
    all = (followed *)calloc(length + 1, sizeof *all);
    if (all == NULL) return 1;
    for (index = 0; index < length; index++) {
        all[index].name = names > 0 ? argv[index] : NULL;
        all[index].slot = names > 0 ? -1 : (int64_t)index;
    }
    outcome = run(segment, &depth, all, length, count, seconds);
    free(all);
    qamd_depth_close(&depth);
    return outcome;
}
