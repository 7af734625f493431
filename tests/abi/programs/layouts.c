/* Prints sizes, offsets and constants of the headers, a name and a number a line. Compiled as C11 and as C++17. */
#include "qamd_depth.h"
#include "qamd_reader.h"

#include <inttypes.h>
#include <stdio.h>

static void print(const char *name, int64_t number) { printf("%s %" PRId64 "\n", name, number); }

#define SIZE(type) print(#type, (int64_t)sizeof(type))
#define FIELD(type, field) print(#type "." #field, (int64_t)offsetof(type, field))
#define NUMBER(name) print(#name, (int64_t)(name))
/* A place in the header or in a slot, which the header counts in words. */
#define BYTES(name) print(#name, (int64_t)(name) * 8)

int main(void) {
    double no_price = QAMD_NO_PRICE;
    int64_t bits;
    memcpy(&bits, &no_price, sizeof bits);
    print("QAMD_NO_PRICE", bits);
    NUMBER(QAMD_NO_TIME);
    NUMBER(QAMD_TICK_SCHEMA);
    NUMBER(QAMD_SOURCE_FRONT);
    NUMBER(QAMD_SOURCE_SIMULATION);
    NUMBER(QAMD_FLAG_SNAPSHOT);
    NUMBER(QAMD_FLAG_EXCHANGE_INFERRED);
    SIZE(qamd_level);
    FIELD(qamd_level, bid_price);
    FIELD(qamd_level, ask_price);
    FIELD(qamd_level, bid_volume);
    FIELD(qamd_level, ask_volume);
    SIZE(qamd_tick);
    FIELD(qamd_tick, worker);
    FIELD(qamd_tick, source);
    FIELD(qamd_tick, flags);
    FIELD(qamd_tick, reserved);
    FIELD(qamd_tick, incarnation);
    FIELD(qamd_tick, sequence);
    FIELD(qamd_tick, receive_time_ns);
    FIELD(qamd_tick, exchange_time_ns);
    FIELD(qamd_tick, trading_day);
    FIELD(qamd_tick, action_day);
    FIELD(qamd_tick, instrument_id);
    FIELD(qamd_tick, exchange_id);
    FIELD(qamd_tick, exchange_instrument_id);
    FIELD(qamd_tick, raw_trading_day);
    FIELD(qamd_tick, raw_action_day);
    FIELD(qamd_tick, raw_update_time);
    FIELD(qamd_tick, update_millisec);
    FIELD(qamd_tick, volume);
    FIELD(qamd_tick, last_price);
    FIELD(qamd_tick, pre_settlement_price);
    FIELD(qamd_tick, pre_close_price);
    FIELD(qamd_tick, pre_open_interest);
    FIELD(qamd_tick, open_price);
    FIELD(qamd_tick, highest_price);
    FIELD(qamd_tick, lowest_price);
    FIELD(qamd_tick, turnover);
    FIELD(qamd_tick, open_interest);
    FIELD(qamd_tick, close_price);
    FIELD(qamd_tick, settlement_price);
    FIELD(qamd_tick, upper_limit_price);
    FIELD(qamd_tick, lower_limit_price);
    FIELD(qamd_tick, pre_delta);
    FIELD(qamd_tick, curr_delta);
    FIELD(qamd_tick, average_price);
    FIELD(qamd_tick, banding_upper_price);
    FIELD(qamd_tick, banding_lower_price);
    FIELD(qamd_tick, levels);
    NUMBER(QAMD_DEPTH_MAGIC);
    NUMBER(QAMD_DEPTH_VERSION);
    BYTES(QAMD_DEPTH_W_MAGIC);
    BYTES(QAMD_DEPTH_W_VERSION);
    BYTES(QAMD_DEPTH_W_STATE);
    BYTES(QAMD_DEPTH_W_TICK_SCHEMA);
    BYTES(QAMD_DEPTH_W_TICK_BYTES);
    BYTES(QAMD_DEPTH_W_SLOT_BYTES);
    BYTES(QAMD_DEPTH_W_SLOT_CAPACITY);
    BYTES(QAMD_DEPTH_W_INDEX_ENTRIES);
    BYTES(QAMD_DEPTH_W_INDEX_OFFSET);
    BYTES(QAMD_DEPTH_W_SLOTS_OFFSET);
    BYTES(QAMD_DEPTH_W_TOTAL_BYTES);
    BYTES(QAMD_DEPTH_W_CREATED_NS);
    BYTES(QAMD_DEPTH_W_SLOTS_USED);
    BYTES(QAMD_DEPTH_W_OWNER_PID);
    BYTES(QAMD_DEPTH_W_OWNER_SEEN_NS);
    BYTES(QAMD_DEPTH_INDEX_WORD);
    BYTES(QAMD_DEPTH_SLOT_WORDS);
    BYTES(QAMD_DEPTH_SLOT_SEQUENCE);
    BYTES(QAMD_DEPTH_SLOT_EXCHANGE);
    BYTES(QAMD_DEPTH_SLOT_INSTRUMENT);
    BYTES(QAMD_DEPTH_SLOT_VOLUME_MULTIPLE);
    BYTES(QAMD_DEPTH_SLOT_PRICE_TICK);
    BYTES(QAMD_DEPTH_SLOT_PRODUCT_CLASS);
    BYTES(QAMD_DEPTH_SLOT_CARRIED_SINCE);
    BYTES(QAMD_DEPTH_SLOT_TICKS);
    return 0;
}
