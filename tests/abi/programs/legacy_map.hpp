// The types of existing programs that have `qamddata` mapped, as they spell them.
#pragma once

#include <boost/interprocess/allocators/allocator.hpp>
#include <boost/interprocess/containers/map.hpp>
#include <boost/interprocess/managed_shared_memory.hpp>

#include <array>
#include <cstddef>
#include <cstring>
#include <utility>

namespace bip = boost::interprocess;

struct Instrument {
    bool expired;
    long product_class;
    long volume_multiple;
    double margin;
    double commission;
    double price_tick;
    double last_price;
    double pre_settlement;
    double upper_limit;
    double lower_limit;
    double ask_price1;
    double bid_price1;
};

using Key = std::array<char, 64>;

struct CharArrayComparer {
    bool operator()(const Key& a, const Key& b) const { return std::strncmp(a.data(), b.data(), 64) < 0; }
};

using Allocator = bip::allocator<std::pair<const Key, Instrument>, bip::managed_shared_memory::segment_manager>;
using InsMapType = bip::map<Key, Instrument, CharArrayComparer, Allocator>;
