// The instruments that a test names on standard input: a key a line, and the values that the test gives each.
#pragma once

#include "legacy_map.hpp"

#include <iostream>
#include <limits>
#include <string>
#include <vector>

inline std::vector<std::pair<Key, Instrument>> read_universe() {
    std::vector<std::pair<Key, Instrument>> all;
    const double unknown = std::numeric_limits<double>::quiet_NaN();
    std::string line;
    while (std::getline(std::cin, line)) {
        Key key{};
        std::memcpy(key.data(), line.data(), line.size());
        Instrument instrument;
        std::memset(static_cast<void*>(&instrument), 0, sizeof instrument);
        long number = static_cast<long>(all.size());
        instrument.expired = number % 2 == 0;
        instrument.product_class = 1;
        instrument.volume_multiple = number;
        instrument.price_tick = 0.5;
        for (double* price : {&instrument.margin, &instrument.commission, &instrument.last_price, &instrument.pre_settlement,
                              &instrument.upper_limit, &instrument.lower_limit, &instrument.ask_price1, &instrument.bid_price1}) {
            *price = unknown;
        }
        all.emplace_back(key, instrument);
    }
    return all;
}
