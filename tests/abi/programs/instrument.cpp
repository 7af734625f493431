// Prints size and offsets of the Instrument of existing programs, a name and a number a line.
#include "legacy_map.hpp"

#include <cstdio>

#define FIELD(field) std::printf("Instrument." #field " %zu\n", offsetof(Instrument, field))

int main() {
    std::printf("Instrument %zu\n", sizeof(Instrument));
    FIELD(expired);
    FIELD(product_class);
    FIELD(volume_multiple);
    FIELD(margin);
    FIELD(commission);
    FIELD(price_tick);
    FIELD(last_price);
    FIELD(pre_settlement);
    FIELD(upper_limit);
    FIELD(lower_limit);
    FIELD(ask_price1);
    FIELD(bid_price1);
    return 0;
}
