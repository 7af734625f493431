/* Following qamd's ring tick by tick, with libqamd_reader.so: every tick of every instrument of a fleet, in order per
 * instrument, whichever worker brings it first, and once: but for the snapshots that fronts send at a subscription, which are
 * flagged QAMD_FLAG_SNAPSHOT and may repeat the tick before them.
 *
 *     qamd_reader *reader;
 *     char error[256];
 *     if (qamd_reader_open(NULL, NULL, &reader, error, sizeof error) != QAMD_READER_OK) ...
 *     qamd_tick ticks[256];
 *     for (;;) {
 *         int64_t count = qamd_reader_next(reader, ticks, 256, 1000000);
 *         if (count < 0) { fprintf(stderr, "%s\n", qamd_reader_error(reader)); break; }
 *         for (int64_t i = 0; i < count; i++) ...
 *     }
 *     qamd_reader_close(reader);
 *
 * A reader that does not keep up never holds a worker up: the ring keeps the last 16,384 batches of each worker, the oldest are
 * overwritten, and what was lost is counted by the sequences (qamd_reader_lost).
 *
 * One thread at a time uses a reader; it may be another than the one that opened it. Different readers are independent. A fleet's
 * ring takes eight readers, its own frontend among them. The program runs as the fleet's user: the ring cannot be shared
 * with others (the depth segment can). Up to six descriptors a worker are held: with 90 workers see that `ulimit -n` allows
 * some 600. Do not use a reader in the child after fork. The library starts no thread, installs no signal handler and
 * prints nothing.
 */
#ifndef QAMD_READER_H
#define QAMD_READER_H

#include "qamd_tick.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* An open reader. */
typedef struct qamd_reader qamd_reader;

/* What open, and where it is negative what next, returns. */
enum {
    QAMD_READER_OK = 0,
    /* No fleet has run here yet, or it was stopped. It passes when the fleet starts: come again. */
    QAMD_READER_NOT_READY = 1,
    /* Something else; the text says what. */
    QAMD_READER_ERROR = -1,
    /* The fleet was stopped and its ring removed: close this reader, and open until there is another ring. A restart of the
     * coordinator or of workers alone does not do this. */
    QAMD_READER_REPLACED = -2
};

/* The library's version, as "0.1.0". */
const char *qamd_reader_version(void);

/* The version of the tick that the library writes: must be QAMD_TICK_SCHEMA of the header that you compile with. */
uint32_t qamd_reader_tick_schema(void);

/* Opens the ring of the fleet `instance` (NULL: "qamd") whose files are in `runtime_dir` (NULL: the usual one, /run/<instance> for
 * root, else $XDG_RUNTIME_DIR/<instance>, or /tmp/<instance>-<uid> without that variable). What is published from then on
 * arrives, or is counted as lost; for what was before, read the depth segment.
 *
 * Returns QAMD_READER_OK and sets *out; or sets *out to NULL and writes into `error`, which has room for `error_bytes`, why (it may be
 * NULL). */
int qamd_reader_open(const char *instance, const char *runtime_dir, qamd_reader **out, char *error, size_t error_bytes);

/* Writes the next ticks, `most` at the most, into `out`, and returns how many. Waits at most `timeout_us` microseconds for the first
 * (0: not at all; negative: as long as it takes), and not for more than one. 0 means that none came in time, or that a
 * signal came. Negative is QAMD_READER_ERROR or QAMD_READER_REPLACED, and qamd_reader_error says why.
 *
 * A tick flagged QAMD_FLAG_SNAPSHOT may be one that was handed over before: the front sends it at each subscription. */
int64_t qamd_reader_next(qamd_reader *reader, qamd_tick *out, size_t most, int64_t timeout_us);

/* Why the last call of qamd_reader_next failed, "" when it did not. Valid until the next call with this reader. */
const char *qamd_reader_error(const qamd_reader *reader);

/* Ticks lost so far because this reader did not keep up. */
uint64_t qamd_reader_lost(const qamd_reader *reader);

/* Ticks left out so far because another worker had brought them before, or a later one of their instrument: the price of
 * redundancy, and no loss. */
uint64_t qamd_reader_copies(const qamd_reader *reader);

/* For programs that wait for other things too, by poll or epoll:
 *
 *     if (qamd_reader_prepare(reader)) poll(...qamd_reader_fd(reader), POLLIN, at most a second...);
 *     count = qamd_reader_next(reader, ticks, 256, 0);
 *
 * The descriptor becomes readable when a tick comes, but only if prepare was called before and returned 1; it returns 0 when
 * there are ticks already. Call next after every wait, whatever ended it, and bound the wait: a worker that is killed at the
 * wrong moment wakes nobody. Only wait for the descriptor: it is not to be read, written or closed. */
int qamd_reader_prepare(qamd_reader *reader);
int qamd_reader_fd(const qamd_reader *reader);

/* Closes the reader. NULL is fine. */
void qamd_reader_close(qamd_reader *reader);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif
