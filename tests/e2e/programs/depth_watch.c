/* Follows slots of the depth segment through the mapping it began with, all the time, whatever happens to the fleet.
 *
 * depth_watch SEGMENT NAME...
 * Answers a line for each line on standard input: "mark" begins to count anew; "tell" says, as JSON, how many new ticks the
 * instrument with the fewest has had since, and since the beginning how often an instrument went back in trading day, time and
 * volume (standard error has the first of them), how many reads were overtaken or showed another instrument, and whether the segment is
 * still the one of its name. */
#define _POSIX_C_SOURCE 200809L

#include "qamd_depth.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { MOST = 64, COMPLAINTS_MAX = 10 };

typedef struct watched {
    const char *name;
    int64_t slot;
    uint64_t updates;
    uint64_t marked;
    qamd_tick last;
} watched;

static watched all[MOST];
static int length;
static long back, busy, foreign, reads;

static int is_before(const qamd_tick *tick, const qamd_tick *other) {
    if (tick->trading_day != other->trading_day) return tick->trading_day < other->trading_day;
    if (tick->exchange_time_ns != other->exchange_time_ns) return tick->exchange_time_ns < other->exchange_time_ns;
    return tick->volume < other->volume;
}

static void look(const qamd_depth *depth, watched *one) {
    uint64_t updates = qamd_depth_updates(depth, one->slot);
    qamd_tick tick;
    char instrument[QAMD_INSTRUMENT_BYTES];
    if (updates == one->updates) return;
    if (qamd_depth_read(depth, one->slot, &tick) != QAMD_DEPTH_OK) {
        busy++;
        return;
    }
    reads++;
    qamd_text(instrument, tick.instrument_id, sizeof tick.instrument_id);
    if (strcmp(instrument, one->name) != 0) foreign++;
    if (one->updates > updates || (one->updates > 0 && is_before(&tick, &one->last))) {
        if (back++ < COMPLAINTS_MAX) {
            fprintf(stderr, "%s: %" PRIu32 " %" PRId64 " %" PRId32 " of worker %" PRIu32 " after %" PRIu32 " %" PRId64 " %" PRId32
                    " of worker %" PRIu32 "\n", one->name, tick.trading_day, tick.exchange_time_ns, tick.volume, tick.worker,
                    one->last.trading_day, one->last.exchange_time_ns, one->last.volume, one->last.worker);
        }
    }
    one->updates = updates;
    one->last = tick;
}

static void answer(const qamd_depth *depth, const char *question) {
    uint64_t fewest = UINT64_MAX;
    int index;
    for (index = 0; index < length; index++) {
        uint64_t fresh = all[index].updates - all[index].marked;
        if (fresh < fewest) fewest = fresh;
        if (strncmp(question, "mark", 4) == 0) all[index].marked = all[index].updates;
    }
    printf("{\"new\":%" PRIu64 ",\"reads\":%ld,\"back\":%ld,\"busy\":%ld,\"foreign\":%ld,\"current\":%d}\n", fewest, reads, back,
           busy, foreign, qamd_depth_is_current(depth));
    fflush(stdout);
}

int main(int argc, char **argv) {
    const struct timespec pause = {0, 50000};
    struct pollfd input = {0, POLLIN, 0};
    qamd_depth depth;
    if (argc < 3 || argc - 2 > MOST || qamd_depth_open(argv[1], &depth) != QAMD_DEPTH_OK) return 1;
    for (length = 0; length < argc - 2; length++) {
        all[length].name = argv[length + 2];
        all[length].slot = qamd_depth_find(&depth, argv[length + 2]);
        if (all[length].slot < 0) return 1;
    }
    for (;;) {
        char line[64];
        int index;
        for (index = 0; index < length; index++) look(&depth, &all[index]);
        nanosleep(&pause, NULL);
        if (poll(&input, 1, 0) <= 0) continue;
        /* One question at a time is asked, so nothing stays behind in the buffer. */
        if (fgets(line, sizeof line, stdin) == NULL) return 0;
        answer(&depth, line);
    }
}
