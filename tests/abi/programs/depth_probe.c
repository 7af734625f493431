/* Does with qamd_depth.h what it is told on standard input, a line of answer for each line. Compiled as C11 and as C++17.
 * open NAME, close, current, count, owner, find NAME, head SLOT, updates SLOT, read SLOT, hammer SLOT READS. */
#include "qamd_depth.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* Whether every number of a tick says the same, as the test writes it. */
static int is_whole(const qamd_tick *tick) {
    double number = (double)tick->volume;
    const double *prices = &tick->last_price;
    int index;
    if (tick->exchange_time_ns != tick->volume || tick->update_millisec != tick->volume) return 0;
    for (index = 0; index < 18; index++) {
        if (prices[index] != number) return 0;
    }
    for (index = 0; index < QAMD_DEPTH_LEVELS; index++) {
        const qamd_level *level = &tick->levels[index];
        if (level->bid_price != number || level->ask_price != number) return 0;
        if (level->bid_volume != tick->volume || level->ask_volume != tick->volume) return 0;
    }
    return 1;
}

/* Reads a slot many times; says how many reads were whole, torn, busy, and older than the one before. */
static void hammer(const qamd_depth *depth, int64_t slot, long reads) {
    long whole = 0, torn = 0, busy = 0, older = 0;
    int32_t last = 0;
    while (reads-- > 0) {
        qamd_tick tick;
        if (qamd_depth_read(depth, slot, &tick) != QAMD_DEPTH_OK) {
            busy++;
            continue;
        }
        if (is_whole(&tick)) {
            whole++;
        } else {
            torn++;
        }
        if (tick.volume < last) older++;
        last = tick.volume;
    }
    printf("%ld %ld %ld %ld\n", whole, torn, busy, older);
}

static void print_read(const qamd_depth *depth, int64_t slot) {
    union {
        qamd_tick tick;
        unsigned char bytes[sizeof(qamd_tick)];
    } copy;
    size_t index;
    qamd_depth_state state = qamd_depth_read(depth, slot, &copy.tick);
    printf("%d ", (int)state);
    for (index = 0; state == QAMD_DEPTH_OK && index < sizeof copy; index++) printf("%02x", (unsigned)copy.bytes[index]);
    printf("\n");
}

static void print_head(const qamd_depth *depth, int64_t slot) {
    char instrument[QAMD_INSTRUMENT_BYTES], exchange[QAMD_EXCHANGE_BYTES];
    size_t lengths = qamd_depth_instrument(depth, slot, instrument) + qamd_depth_exchange(depth, slot, exchange);
    printf("%s %s %d %" PRIu64 " %g %" PRIu64 " %" PRId64 "\n", instrument, exchange, (int)lengths,
           qamd_depth_volume_multiple(depth, slot), qamd_depth_price_tick(depth, slot), qamd_depth_product_class(depth, slot),
           qamd_depth_carried_since(depth, slot));
}

int main(void) {
    static char line[512], word[256], argument[256];
    qamd_depth depth;
    memset(&depth, 0, sizeof depth);
    while (fgets(line, sizeof line, stdin) != NULL) {
        long number = 0;
        uint64_t pid;
        int64_t silent_ns, slot;
        argument[0] = '\0';
        if (sscanf(line, "%255s %255[^ \n] %ld", word, argument, &number) < 1) return 1;
        slot = strtoll(argument, NULL, 10);
        if (strcmp(word, "open") == 0) {
            qamd_depth_close(&depth);
            printf("%d\n", (int)qamd_depth_open(argument[0] == '\0' ? NULL : argument, &depth));
        } else if (strcmp(word, "close") == 0) {
            qamd_depth_close(&depth);
            printf("closed\n");
        } else if (strcmp(word, "current") == 0) {
            printf("%d\n", qamd_depth_is_current(&depth));
        } else if (strcmp(word, "count") == 0) {
            printf("%" PRId64 "\n", qamd_depth_count(&depth));
        } else if (strcmp(word, "owner") == 0) {
            qamd_depth_owner(&depth, &pid, &silent_ns);
            printf("%" PRIu64 " %" PRId64 "\n", pid, silent_ns);
        } else if (strcmp(word, "find") == 0) {
            printf("%" PRId64 "\n", qamd_depth_find(&depth, argument));
        } else if (strcmp(word, "head") == 0) {
            print_head(&depth, slot);
        } else if (strcmp(word, "updates") == 0) {
            printf("%" PRIu64 "\n", qamd_depth_updates(&depth, slot));
        } else if (strcmp(word, "read") == 0) {
            print_read(&depth, slot);
        } else if (strcmp(word, "hammer") == 0) {
            hammer(&depth, slot, number);
        } else {
            return 1;
        }
        fflush(stdout);
    }
    qamd_depth_close(&depth);
    return 0;
}
