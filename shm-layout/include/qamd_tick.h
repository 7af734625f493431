/* A tick of qamd: one depth snapshot of one instrument, 512 bytes, as it lies in shared memory.
 *
 * Prices, volumes and texts are the exchange's own, bit for bit. What qamd derived stands beside them: trading_day, action_day,
 * exchange_time_ns, and the exchange where the front did not name it.
 *
 * For C11 and C++17, 64-bit little-endian machines. Rust's `shm_layout::Tick` is the same structure, and a test compares every
 * offset.
 */
#ifndef QAMD_TICK_H
#define QAMD_TICK_H

#include <float.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
#define QAMD_STATIC_ASSERT(condition, text) static_assert(condition, text)
extern "C" {
#else
#define QAMD_STATIC_ASSERT(condition, text) _Static_assert(condition, text)
#endif

/* The version of the structure below. */
#define QAMD_TICK_SCHEMA 1u

/* "No value" in every price, settlement, close and delta, as CTP has it; see qamd_has_price. */
#define QAMD_NO_PRICE DBL_MAX
/* "No time" in exchange_time_ns and receive_time_ns. */
#define QAMD_NO_TIME INT64_MIN

/* Levels of depth. */
#define QAMD_DEPTH_LEVELS 5

/* Where a tick comes from: qamd_tick.source. */
enum {
    /* A broker's front, through the vendor's library. */
    QAMD_SOURCE_FRONT = 1,
    /* The simulated library: a made market or a recording. */
    QAMD_SOURCE_SIMULATION = 2
};

/* What else is known of a tick: bits of qamd_tick.flags. */
enum {
    /* The first tick after a subscription: it may be old, and seen before. */
    QAMD_FLAG_SNAPSHOT = 1,
    /* The front did not name the exchange; it was inferred from the product. */
    QAMD_FLAG_EXCHANGE_INFERRED = 2
};

/* One level of depth. */
typedef struct qamd_level {
    double bid_price;   /* QAMD_NO_PRICE or zero where the exchange has no such level */
    double ask_price;   /* likewise */
    int32_t bid_volume; /* lots */
    int32_t ask_volume; /* lots */
} qamd_level;

/* One depth snapshot. Texts are padded with zeros to their size and have no zero behind them when they fill it
 * (raw_update_time always does): take them out with qamd_text, or print them with "%.*s". */
typedef struct qamd_tick {
    uint32_t worker;                 /* the worker that published it */
    uint8_t source;                  /* QAMD_SOURCE_... */
    uint8_t flags;                   /* QAMD_FLAG_... */
    uint16_t reserved;               /* 0 */
    uint64_t incarnation;            /* which life of the worker: grows from one to the next */
    uint64_t sequence;               /* counts that life's ticks of all instruments, from 1 without a gap */
    int64_t receive_time_ns;         /* when the worker got it: nanoseconds since 1970-01-01 UTC */
    int64_t exchange_time_ns;        /* the exchange's time: likewise, or QAMD_NO_TIME */
    uint32_t trading_day;            /* derived, YYYYMMDD; 0 when unknown */
    uint32_t action_day;             /* calendar day of the exchange's time, derived, YYYYMMDD; 0 when unknown */
    char instrument_id[80];          /* as "rb2601" */
    char exchange_id[8];             /* as "SHFE": the front's or, with QAMD_FLAG_EXCHANGE_INFERRED, the product's */
    char exchange_instrument_id[80]; /* ExchangeInstID as sent */
    char raw_trading_day[8];         /* TradingDay as sent; CZCE sends the calendar day at night */
    char raw_action_day[8];          /* ActionDay as sent; may be empty, and is the trading day at DCE */
    char raw_update_time[8];         /* UpdateTime as sent, "HH:MM:SS" */
    int32_t update_millisec;         /* as sent; always 0 at CZCE */
    int32_t volume;                  /* lots traded since the trading day began */
    double last_price;
    double pre_settlement_price;
    double pre_close_price;
    double pre_open_interest;
    double open_price;
    double highest_price;
    double lowest_price;
    double turnover;                 /* yuan since the trading day began; at CZCE volume times average price */
    double open_interest;            /* lots */
    double close_price;              /* no value before the close (0 at CZCE) */
    double settlement_price;         /* no value before it is set */
    double upper_limit_price;
    double lower_limit_price;        /* may be negative for combinations */
    double pre_delta;                /* options */
    double curr_delta;               /* options */
    double average_price;            /* turnover by volume: times the multiplier, except at CZCE where it is a price */
    double banding_upper_price;      /* no value from libraries before 6.6.1 */
    double banding_lower_price;      /* likewise */
    qamd_level levels[QAMD_DEPTH_LEVELS]; /* best first */
} qamd_tick;

/* Two programs are built on different days; the compiler is the reviewer who never forgets. */
#define QAMD_TICK_FIELD(field, offset) \
    QAMD_STATIC_ASSERT(offsetof(qamd_tick, field) == (offset), "offset of qamd_tick." #field)
QAMD_STATIC_ASSERT(sizeof(qamd_level) == 24, "size of qamd_level");
QAMD_STATIC_ASSERT(offsetof(qamd_level, bid_price) == 0, "offset of qamd_level.bid_price");
QAMD_STATIC_ASSERT(offsetof(qamd_level, ask_price) == 8, "offset of qamd_level.ask_price");
QAMD_STATIC_ASSERT(offsetof(qamd_level, bid_volume) == 16, "offset of qamd_level.bid_volume");
QAMD_STATIC_ASSERT(offsetof(qamd_level, ask_volume) == 20, "offset of qamd_level.ask_volume");
QAMD_STATIC_ASSERT(sizeof(qamd_tick) == 512, "size of qamd_tick");
QAMD_TICK_FIELD(worker, 0);
QAMD_TICK_FIELD(source, 4);
QAMD_TICK_FIELD(flags, 5);
QAMD_TICK_FIELD(reserved, 6);
QAMD_TICK_FIELD(incarnation, 8);
QAMD_TICK_FIELD(sequence, 16);
QAMD_TICK_FIELD(receive_time_ns, 24);
QAMD_TICK_FIELD(exchange_time_ns, 32);
QAMD_TICK_FIELD(trading_day, 40);
QAMD_TICK_FIELD(action_day, 44);
QAMD_TICK_FIELD(instrument_id, 48);
QAMD_TICK_FIELD(exchange_id, 128);
QAMD_TICK_FIELD(exchange_instrument_id, 136);
QAMD_TICK_FIELD(raw_trading_day, 216);
QAMD_TICK_FIELD(raw_action_day, 224);
QAMD_TICK_FIELD(raw_update_time, 232);
QAMD_TICK_FIELD(update_millisec, 240);
QAMD_TICK_FIELD(volume, 244);
QAMD_TICK_FIELD(last_price, 248);
QAMD_TICK_FIELD(pre_settlement_price, 256);
QAMD_TICK_FIELD(pre_close_price, 264);
QAMD_TICK_FIELD(pre_open_interest, 272);
QAMD_TICK_FIELD(open_price, 280);
QAMD_TICK_FIELD(highest_price, 288);
QAMD_TICK_FIELD(lowest_price, 296);
QAMD_TICK_FIELD(turnover, 304);
QAMD_TICK_FIELD(open_interest, 312);
QAMD_TICK_FIELD(close_price, 320);
QAMD_TICK_FIELD(settlement_price, 328);
QAMD_TICK_FIELD(upper_limit_price, 336);
QAMD_TICK_FIELD(lower_limit_price, 344);
QAMD_TICK_FIELD(pre_delta, 352);
QAMD_TICK_FIELD(curr_delta, 360);
QAMD_TICK_FIELD(average_price, 368);
QAMD_TICK_FIELD(banding_upper_price, 376);
QAMD_TICK_FIELD(banding_lower_price, 384);
QAMD_TICK_FIELD(levels, 392);

/* 1 when a raw price has a value. Zero and negative prices are values; QAMD_NO_PRICE, infinities and NaN are none. */
static inline int qamd_has_price(double raw) { return raw < DBL_MAX && raw >= -DBL_MAX; }

/* Copies a padded text of `size` bytes into `out`, which has room for `size + 1`, and ends it with a zero.
 * Returns its length. */
static inline size_t qamd_text(char *out, const char *field, size_t size) {
    size_t length = 0;
    while (length < size && field[length] != '\0') length++;
    memcpy(out, field, length);
    out[length] = '\0';
    return length;
}

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif
