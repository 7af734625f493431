/* Reading qamd's depth segment: the latest whole tick of every instrument. Header only, no dependency but the C library.
 *
 *     qamd_depth depth;
 *     if (qamd_depth_open(NULL, &depth) != QAMD_DEPTH_OK) ...    // NOT_READY: the fleet was never started; come again
 *     int64_t slot = qamd_depth_find(&depth, "SHFE.rb2601");     // once; a slot stays good as long as the segment
 *     qamd_tick tick;
 *     if (qamd_depth_read(&depth, slot, &tick) == QAMD_DEPTH_OK) printf("%f\n", tick.last_price);
 *     ...
 *     if (!qamd_depth_is_current(&depth)) ...                    // now and then: close, open and find again
 *     qamd_depth_close(&depth);
 *
 * For C11 and C++17 with gcc or clang, on 64-bit little-endian Linux. A qamd_depth is written by open and close alone, so any
 * number of threads may read through one at the same time. Nothing here blocks, allocates, or disturbs a writer: the segment is
 * mapped read only, and readers are invisible to those who write it.
 *
 * How it works. The segment /dev/shm/<instance>_depth has a header, an index and slots. A slot belongs to one instrument and has
 * room for two ticks, and a sequence that counts the ticks written. The writer of tick number n fills room n % 2, to which
 * nobody is sent yet, and then sets the sequence to n. So the room of the sequence's lowest bit holds a whole tick at any moment, also
 * when the writer was killed halfway. A reader copies that room and looks at the sequence again: if it has not moved, the copy
 * was not overtaken; if it has, the reader takes the newer tick instead. The index is a hash table with open addressing whose
 * entries are only ever added, so looking up needs no lock either.
 */
#ifndef QAMD_DEPTH_H
#define QAMD_DEPTH_H

#include "qamd_tick.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#if !defined(__BYTE_ORDER__) || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__ || __SIZEOF_POINTER__ != 8
#error "qamd's segments are for 64-bit little-endian machines"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* The segment of the instance "qamd"; that of another instance is "<instance>_depth". */
#define QAMD_DEPTH_NAME "qamd_depth"
/* Room for an instrument's id and for an exchange's name, with the closing zero. */
#define QAMD_INSTRUMENT_BYTES 81
#define QAMD_EXCHANGE_BYTES 9

typedef enum qamd_depth_state {
    QAMD_DEPTH_OK = 0,
    /* open: there is no segment, or it is being made or replaced. It passes when the fleet starts: come again. */
    QAMD_DEPTH_NOT_READY = 1,
    /* open: the file is no depth segment, or one of another version than this header's. */
    QAMD_DEPTH_WRONG_VERSION = 2,
    /* open: this user may not read it; it is for the fleet's user and group. */
    QAMD_DEPTH_NO_PERMISSION = 3,
    /* open: something else; errno says what. */
    QAMD_DEPTH_ERROR = 4,
    /* read: the instrument has had no tick yet, or there is no such slot. */
    QAMD_DEPTH_EMPTY = 5,
    /* read: the writer overtook every attempt, which is next to impossible; try again. */
    QAMD_DEPTH_BUSY = 6
} qamd_depth_state;

/* An open segment. Its fields are this header's own. */
typedef struct qamd_depth {
    const uint64_t *words;
    size_t bytes;
    uint64_t slot_capacity;
    uint64_t index_entries;
    uint64_t slots_word;
    dev_t device;
    ino_t inode;
    char path[272];
} qamd_depth;

/* The layout: offsets and sizes in words of eight bytes. */
enum {
    QAMD_DEPTH_W_MAGIC = 0,
    QAMD_DEPTH_W_VERSION = 1,
    QAMD_DEPTH_W_STATE = 2, /* 0 being made, 1 in use, 2 retired */
    QAMD_DEPTH_W_TICK_SCHEMA = 3,
    QAMD_DEPTH_W_TICK_BYTES = 4,
    QAMD_DEPTH_W_SLOT_BYTES = 5,
    QAMD_DEPTH_W_SLOT_CAPACITY = 6, /* a power of two */
    QAMD_DEPTH_W_INDEX_ENTRIES = 7, /* twice as many */
    QAMD_DEPTH_W_INDEX_OFFSET = 8,
    QAMD_DEPTH_W_SLOTS_OFFSET = 9,
    QAMD_DEPTH_W_TOTAL_BYTES = 10,
    QAMD_DEPTH_W_CREATED_NS = 11,
    QAMD_DEPTH_W_SLOTS_USED = 12,
    QAMD_DEPTH_W_OWNER_PID = 14,
    QAMD_DEPTH_W_OWNER_SEEN_NS = 15,
    QAMD_DEPTH_INDEX_WORD = 512, /* the header is one page */
    QAMD_DEPTH_SLOT_WORDS = 152,
    QAMD_DEPTH_SLOT_SEQUENCE = 0, /* from a slot's beginning */
    QAMD_DEPTH_SLOT_EXCHANGE = 2,
    QAMD_DEPTH_SLOT_INSTRUMENT = 3,
    QAMD_DEPTH_SLOT_VOLUME_MULTIPLE = 13,
    QAMD_DEPTH_SLOT_PRICE_TICK = 14,
    QAMD_DEPTH_SLOT_PRODUCT_CLASS = 15,
    QAMD_DEPTH_SLOT_CARRIED_SINCE = 16,
    QAMD_DEPTH_SLOT_TICKS = 24,
    QAMD_DEPTH_TICK_WORDS = 64,
    QAMD_DEPTH_INSTRUMENT_WORDS = 10,
    QAMD_DEPTH_READ_ATTEMPTS = 1000
};

/* "qamddpth" */
#define QAMD_DEPTH_MAGIC UINT64_C(0x68747064646d6171)
#define QAMD_DEPTH_VERSION 1

QAMD_STATIC_ASSERT(sizeof(qamd_tick) == QAMD_DEPTH_TICK_WORDS * 8, "a tick fills a room");
QAMD_STATIC_ASSERT(QAMD_DEPTH_SLOT_TICKS + 2 * QAMD_DEPTH_TICK_WORDS == QAMD_DEPTH_SLOT_WORDS, "two rooms fill a slot");

/* === internal === */

/* A word as it is at this moment. */
static inline uint64_t qamd_depth_word_(const qamd_depth *depth, uint64_t index) {
    return __atomic_load_n(depth->words + index, __ATOMIC_RELAXED);
}

/* Copies `count` words as bytes; others may change them meanwhile, so each is loaded for itself. */
static inline void qamd_depth_copy_(const qamd_depth *depth, uint64_t from, void *out, size_t count) {
    unsigned char *to = (unsigned char *)out;
    size_t index;
    for (index = 0; index < count; index++) {
        uint64_t word = qamd_depth_word_(depth, from + index);
        memcpy(to + index * sizeof word, &word, sizeof word);
    }
}

/* Where a slot begins, in words; 0 when there is no such slot (yet). */
static inline uint64_t qamd_depth_slot_(const qamd_depth *depth, int64_t slot) {
    uint64_t used, number = (uint64_t)slot;
    if (depth->words == NULL || slot < 0) return 0;
    /* What the slots before it hold was written before the count. */
    used = __atomic_load_n(depth->words + QAMD_DEPTH_W_SLOTS_USED, __ATOMIC_ACQUIRE);
    if (number >= used || number >= depth->slot_capacity) return 0;
    return depth->slots_word + number * QAMD_DEPTH_SLOT_WORDS;
}

/* Whether the header is this version's and agrees with the file's size; takes the sizes from it. */
static inline qamd_depth_state qamd_depth_check_(qamd_depth *depth) {
    uint64_t total, state = __atomic_load_n(depth->words + QAMD_DEPTH_W_STATE, __ATOMIC_ACQUIRE);
    uint64_t magic = qamd_depth_word_(depth, QAMD_DEPTH_W_MAGIC);
    if (magic == 0 && state == 0) return QAMD_DEPTH_NOT_READY;
    if (magic != QAMD_DEPTH_MAGIC) return QAMD_DEPTH_WRONG_VERSION;
    if (qamd_depth_word_(depth, QAMD_DEPTH_W_VERSION) != QAMD_DEPTH_VERSION) return QAMD_DEPTH_WRONG_VERSION;
    if (state == 0 || state == 2) return QAMD_DEPTH_NOT_READY;
    if (state != 1) return QAMD_DEPTH_WRONG_VERSION;
    depth->slot_capacity = qamd_depth_word_(depth, QAMD_DEPTH_W_SLOT_CAPACITY);
    depth->index_entries = qamd_depth_word_(depth, QAMD_DEPTH_W_INDEX_ENTRIES);
    /* More slots than the file has bytes would overflow what follows. */
    if (depth->slot_capacity == 0 || depth->slot_capacity > depth->bytes) return QAMD_DEPTH_WRONG_VERSION;
    if (depth->index_entries != 2 * depth->slot_capacity) return QAMD_DEPTH_WRONG_VERSION;
    if ((depth->index_entries & (depth->index_entries - 1)) != 0) return QAMD_DEPTH_WRONG_VERSION;
    depth->slots_word = QAMD_DEPTH_INDEX_WORD + depth->index_entries;
    total = (depth->slots_word + depth->slot_capacity * QAMD_DEPTH_SLOT_WORDS) * 8;
    if (qamd_depth_word_(depth, QAMD_DEPTH_W_TICK_SCHEMA) != QAMD_TICK_SCHEMA ||
        qamd_depth_word_(depth, QAMD_DEPTH_W_TICK_BYTES) != sizeof(qamd_tick) ||
        qamd_depth_word_(depth, QAMD_DEPTH_W_SLOT_BYTES) != QAMD_DEPTH_SLOT_WORDS * 8 ||
        qamd_depth_word_(depth, QAMD_DEPTH_W_INDEX_OFFSET) != QAMD_DEPTH_INDEX_WORD * 8 ||
        qamd_depth_word_(depth, QAMD_DEPTH_W_SLOTS_OFFSET) != depth->slots_word * 8 ||
        qamd_depth_word_(depth, QAMD_DEPTH_W_TOTAL_BYTES) != total || depth->bytes != total) {
        return QAMD_DEPTH_WRONG_VERSION;
    }
    return QAMD_DEPTH_OK;
}

/* Maps an open file and checks it. */
static inline qamd_depth_state qamd_depth_map_(int file, qamd_depth *depth) {
    struct stat found;
    void *base;
    if (fstat(file, &found) != 0) return QAMD_DEPTH_ERROR;
    if (!S_ISREG(found.st_mode) || found.st_size < QAMD_DEPTH_INDEX_WORD * 8) return QAMD_DEPTH_WRONG_VERSION;
    base = mmap(NULL, (size_t)found.st_size, PROT_READ, MAP_SHARED, file, 0);
    if (base == MAP_FAILED) return QAMD_DEPTH_ERROR;
    depth->words = (const uint64_t *)base;
    depth->bytes = (size_t)found.st_size;
    depth->device = found.st_dev;
    depth->inode = found.st_ino;
    return qamd_depth_check_(depth);
}

/* The slot of an id of `length` characters; -1 when there is none. */
static inline int64_t qamd_depth_find_id_(const qamd_depth *depth, const char *id, size_t length) {
    uint64_t hash = UINT64_C(0xcbf29ce484222325), probe; /* FNV-1a */
    char wanted[QAMD_INSTRUMENT_BYTES - 1], found[QAMD_INSTRUMENT_BYTES - 1];
    size_t index;
    if (depth->words == NULL || length == 0 || length > sizeof wanted) return -1;
    memset(wanted, 0, sizeof wanted);
    memcpy(wanted, id, length);
    for (index = 0; index < length; index++) {
        hash = (hash ^ (unsigned char)id[index]) * UINT64_C(0x100000001b3);
    }
    for (probe = 0; probe < depth->index_entries; probe++) {
        uint64_t entry = (hash + probe) & (depth->index_entries - 1);
        uint64_t word = __atomic_load_n(depth->words + QAMD_DEPTH_INDEX_WORD + entry, __ATOMIC_ACQUIRE);
        if (word == 0) return -1;
        /* The upper half is the hash's, the lower the slot's number plus one. */
        if (((word ^ hash) >> 32) == 0 && (word & UINT64_C(0xffffffff)) != 0) {
            int64_t slot = (int64_t)(word & UINT64_C(0xffffffff)) - 1;
            uint64_t at = qamd_depth_slot_(depth, slot);
            if (at == 0) continue;
            qamd_depth_copy_(depth, at + QAMD_DEPTH_SLOT_INSTRUMENT, found, QAMD_DEPTH_INSTRUMENT_WORDS);
            if (memcmp(found, wanted, sizeof wanted) == 0) return slot;
        }
    }
    return -1;
}

/* A word of a slot's head; 0 when there is no such slot. */
static inline uint64_t qamd_depth_slot_word_(const qamd_depth *depth, int64_t slot, uint64_t word) {
    uint64_t at = qamd_depth_slot_(depth, slot);
    return at == 0 ? 0 : qamd_depth_word_(depth, at + word);
}

/* === opening === */

/* Unmaps the segment. Harmless on one that is closed or was never opened successfully. */
static inline void qamd_depth_close(qamd_depth *depth) {
    if (depth->words != NULL) munmap((void *)(uintptr_t)depth->words, depth->bytes);
    memset(depth, 0, sizeof *depth);
}

/* Opens the segment of this name in /dev/shm; NULL means QAMD_DEPTH_NAME. `depth` is closed unless the outcome is
 * QAMD_DEPTH_OK. */
static inline qamd_depth_state qamd_depth_open(const char *name, qamd_depth *depth) {
    static const char folder[] = "/dev/shm/";
    const size_t start = sizeof folder - 1;
    qamd_depth_state outcome;
    size_t length;
    int file, flags = O_RDONLY | O_NONBLOCK, error;
#ifdef O_CLOEXEC
    flags |= O_CLOEXEC;
#endif
    memset(depth, 0, sizeof *depth);
    if (name == NULL) name = QAMD_DEPTH_NAME;
    if (name[0] == '/') name++;
    length = strlen(name);
    if (length == 0 || length + start >= sizeof depth->path || strchr(name, '/') != NULL) {
        errno = EINVAL;
        return QAMD_DEPTH_ERROR;
    }
    memcpy(depth->path, folder, start);
    memcpy(depth->path + start, name, length + 1);
    do {
        file = open(depth->path, flags);
    } while (file < 0 && errno == EINTR);
    if (file < 0) {
        if (errno == ENOENT) return QAMD_DEPTH_NOT_READY;
        return errno == EACCES || errno == EPERM ? QAMD_DEPTH_NO_PERMISSION : QAMD_DEPTH_ERROR;
    }
    outcome = qamd_depth_map_(file, depth);
    error = errno;
    close(file);
    if (outcome != QAMD_DEPTH_OK) qamd_depth_close(depth);
    errno = error;
    return outcome;
}

/* What an outcome of qamd_depth_open means, for a message. */
static inline const char *qamd_depth_state_text(qamd_depth_state state) {
    switch (state) {
    case QAMD_DEPTH_OK: return "ok";
    case QAMD_DEPTH_NOT_READY: return "there is no depth segment yet; it is made when the fleet starts";
    case QAMD_DEPTH_WRONG_VERSION: return "it is no depth segment of this version";
    case QAMD_DEPTH_NO_PERMISSION: return "this user may not read the depth segment; join the fleet's group";
    case QAMD_DEPTH_ERROR: return "the depth segment cannot be opened";
    case QAMD_DEPTH_EMPTY: return "no tick yet";
    case QAMD_DEPTH_BUSY: return "overtaken; try again";
    }
    return "unknown";
}

/* 1 as long as the name still stands for this very segment, also while the fleet is stopped or restarting. 0 when another one has
 * taken its place, which happens when the fleet is upgraded or needs a larger one: close it, open the name again, and find the
 * slots anew. Costs a system call; once a second is plenty. */
static inline int qamd_depth_is_current(const qamd_depth *depth) {
    struct stat named;
    if (depth->words == NULL) return 0;
    if (__atomic_load_n(depth->words + QAMD_DEPTH_W_STATE, __ATOMIC_ACQUIRE) != 1) return 0;
    return stat(depth->path, &named) == 0 && named.st_dev == depth->device && named.st_ino == depth->inode;
}

/* The coordinator that owns the segment, or did last: its process id, and how many nanoseconds ago it last said that it lives
 * (by the wall clock). It says so every few seconds; prices come from the workers, with or without it. */
static inline void qamd_depth_owner(const qamd_depth *depth, uint64_t *pid, int64_t *silent_ns) {
    struct timespec now;
    *pid = 0;
    *silent_ns = INT64_MAX;
    if (depth->words == NULL || timespec_get(&now, TIME_UTC) != TIME_UTC) return;
    *pid = qamd_depth_word_(depth, QAMD_DEPTH_W_OWNER_PID);
    *silent_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec - (int64_t)qamd_depth_word_(depth, QAMD_DEPTH_W_OWNER_SEEN_NS);
}

/* === instruments === */

/* How many instruments there are: slots 0 to count - 1. It only grows. */
static inline int64_t qamd_depth_count(const qamd_depth *depth) {
    uint64_t used;
    if (depth->words == NULL) return 0;
    used = __atomic_load_n(depth->words + QAMD_DEPTH_W_SLOTS_USED, __ATOMIC_ACQUIRE);
    return (int64_t)(used < depth->slot_capacity ? used : depth->slot_capacity);
}

/* The slot of an instrument, "rb2601" or "SHFE.rb2601" (then the exchange must be that one); -1 when there is none. It may be
 * added later in the day. A slot stays good as long as the segment is open. */
static inline int64_t qamd_depth_find(const qamd_depth *depth, const char *name) {
    const char *dot = strchr(name, '.');
    size_t length = strlen(name);
    int64_t slot = qamd_depth_find_id_(depth, name, length);
    uint64_t wanted = 0, at;
    size_t prefix;
    if (slot >= 0 || dot == NULL) return slot;
    prefix = (size_t)(dot - name);
    if (prefix == 0 || prefix > sizeof wanted) return -1;
    slot = qamd_depth_find_id_(depth, dot + 1, length - prefix - 1);
    at = qamd_depth_slot_(depth, slot);
    if (at == 0) return -1;
    memcpy(&wanted, name, prefix);
    return qamd_depth_word_(depth, at + QAMD_DEPTH_SLOT_EXCHANGE) == wanted ? slot : -1;
}

/* A slot's instrument, as "rb2601". Returns its length; 0 when there is no such slot. */
static inline size_t qamd_depth_instrument(const qamd_depth *depth, int64_t slot, char out[QAMD_INSTRUMENT_BYTES]) {
    char padded[QAMD_INSTRUMENT_BYTES - 1];
    uint64_t at = qamd_depth_slot_(depth, slot);
    out[0] = '\0';
    if (at == 0) return 0;
    qamd_depth_copy_(depth, at + QAMD_DEPTH_SLOT_INSTRUMENT, padded, QAMD_DEPTH_INSTRUMENT_WORDS);
    return qamd_text(out, padded, sizeof padded);
}

/* Its exchange, as "SHFE". Returns its length; 0 when it is unknown. */
static inline size_t qamd_depth_exchange(const qamd_depth *depth, int64_t slot, char out[QAMD_EXCHANGE_BYTES]) {
    char padded[QAMD_EXCHANGE_BYTES - 1];
    uint64_t word = qamd_depth_slot_word_(depth, slot, QAMD_DEPTH_SLOT_EXCHANGE);
    memcpy(padded, &word, sizeof padded);
    return qamd_text(out, padded, sizeof padded);
}

/* Units in one lot; 0 when unknown. */
static inline uint64_t qamd_depth_volume_multiple(const qamd_depth *depth, int64_t slot) {
    return qamd_depth_slot_word_(depth, slot, QAMD_DEPTH_SLOT_VOLUME_MULTIPLE);
}

/* The least step of the price; NaN when unknown, 0 when there is no such slot. */
static inline double qamd_depth_price_tick(const qamd_depth *depth, int64_t slot) {
    uint64_t bits = qamd_depth_slot_word_(depth, slot, QAMD_DEPTH_SLOT_PRICE_TICK);
    double step;
    memcpy(&step, &bits, sizeof step);
    return step;
}

/* What kind of product it is: futures 1, options 2, combination 4, option on a future 8, index 16, continuous 32, stock 64; 0 when
 * unknown. */
static inline uint64_t qamd_depth_product_class(const qamd_depth *depth, int64_t slot) {
    return qamd_depth_slot_word_(depth, slot, QAMD_DEPTH_SLOT_PRODUCT_CLASS);
}

/* === ticks === */

/* Since when the instrument has been assigned to some worker: nanoseconds since 1970-01-01 UTC. 0 while it is not, and then what
 * the slot holds is old; so is a tick whose receive_time_ns lies before it. Whether the market moves, and the front sends, only
 * receive_time_ns says. */
static inline int64_t qamd_depth_carried_since(const qamd_depth *depth, int64_t slot) {
    return (int64_t)qamd_depth_slot_word_(depth, slot, QAMD_DEPTH_SLOT_CARRIED_SINCE);
}

/* How many ticks the slot has had; 0 before the first. Cheap: whoever polls compares it with what it was. */
static inline uint64_t qamd_depth_updates(const qamd_depth *depth, int64_t slot) {
    return qamd_depth_slot_word_(depth, slot, QAMD_DEPTH_SLOT_SEQUENCE);
}

/* Copies a slot's latest tick, whole: QAMD_DEPTH_OK, QAMD_DEPTH_EMPTY or QAMD_DEPTH_BUSY. `tick` is untouched when the slot is
 * empty, and nothing to rely on when it is busy. */
static inline qamd_depth_state qamd_depth_read(const qamd_depth *depth, int64_t slot, qamd_tick *tick) {
    uint64_t at = qamd_depth_slot_(depth, slot), before, room;
    int attempt;
    if (at == 0) return QAMD_DEPTH_EMPTY;
    for (attempt = 0; attempt < QAMD_DEPTH_READ_ATTEMPTS; attempt++) {
        /* Pairs with the writer's release: the room of this sequence is complete. */
        before = __atomic_load_n(depth->words + at + QAMD_DEPTH_SLOT_SEQUENCE, __ATOMIC_ACQUIRE);
        if (before == 0) return QAMD_DEPTH_EMPTY;
        room = at + QAMD_DEPTH_SLOT_TICKS + (before % 2) * QAMD_DEPTH_TICK_WORDS;
        qamd_depth_copy_(depth, room, tick, QAMD_DEPTH_TICK_WORDS);
        /* A word of a newer tick in the copy would show by the sequence, behind this fence. */
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if (qamd_depth_word_(depth, at + QAMD_DEPTH_SLOT_SEQUENCE) == before) return QAMD_DEPTH_OK;
    }
    return QAMD_DEPTH_BUSY;
}

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif
