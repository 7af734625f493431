/* Reads slots of a counting market from the depth segment all the time, and looks whether each tick is whole.
 *
 * depth_torn SEGMENT NAME...
 * Answers a line for each line on standard input: how many rounds there have been in which every slot was read, how many ticks
 * were torn, how many reads were overtaken, how often the instrument that changed least has changed since the last question, and
 * whether the segment is still the one of its name. */
#define _POSIX_C_SOURCE 200809L

#include "qamd_depth.h"

#include <poll.h>
#include <stdio.h>

enum { MOST = 64 };

typedef struct watched {
    const char *name;
    int64_t slot;
    uint64_t sequence;
    uint64_t incarnation;
    long changes;
} watched;

static watched all[MOST];
static int length;
static long rounds, torn, busy;

/* A counting market's price is 1000 more than its volume; its asks are one above. */
static int is_whole(const qamd_tick *tick, const char *name) {
    char instrument[QAMD_INSTRUMENT_BYTES];
    const qamd_level *best = &tick->levels[0];
    qamd_text(instrument, tick->instrument_id, sizeof tick->instrument_id);
    return strcmp(instrument, name) == 0 && tick->last_price == 1000.0 + tick->volume && best->bid_price == tick->last_price &&
           best->ask_price == tick->last_price + 1 && best->bid_volume == 3 && best->ask_volume == 4;
}

static int look(const qamd_depth *depth, watched *one) {
    qamd_tick tick;
    qamd_depth_state state;
    if (one->slot < 0) one->slot = qamd_depth_find(depth, one->name);
    state = qamd_depth_read(depth, one->slot, &tick);
    if (state == QAMD_DEPTH_BUSY) busy++;
    if (state != QAMD_DEPTH_OK) return 0;
    if (!is_whole(&tick, one->name)) torn++;
    if (tick.sequence != one->sequence || tick.incarnation != one->incarnation) one->changes++;
    one->sequence = tick.sequence;
    one->incarnation = tick.incarnation;
    return 1;
}

static void answer(const qamd_depth *depth) {
    long fewest = -1;
    int index;
    for (index = 0; index < length; index++) {
        if (fewest < 0 || all[index].changes < fewest) fewest = all[index].changes;
        all[index].changes = 0;
    }
    printf("%ld %ld %ld %ld %d\n", rounds, torn, busy, fewest, qamd_depth_is_current(depth));
    fflush(stdout);
}

int main(int argc, char **argv) {
    struct pollfd input = {0, POLLIN, 0};
    char question[64];
    qamd_depth depth;
    qamd_depth_state state;
    if (argc < 3 || argc - 2 > MOST) return 2;
    state = qamd_depth_open(argv[1], &depth);
    if (state != QAMD_DEPTH_OK) {
        fprintf(stderr, "%s: %s\n", argv[1], qamd_depth_state_text(state));
        return 1;
    }
    for (length = 0; length < argc - 2; length++) {
        all[length].name = argv[length + 2];
        all[length].slot = -1;
    }
    for (;;) {
        int index, turn, whole = 1;
        for (turn = 0; turn < 64; turn++) {
            for (index = 0, whole = 1; index < length; index++) whole &= look(&depth, &all[index]);
            rounds += whole;
        }
        if (poll(&input, 1, 0) <= 0) continue;
        if (fgets(question, sizeof question, stdin) == NULL) return 0;
        answer(&depth);
    }
}
