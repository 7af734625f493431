// Reads `qamddata` through Boost.Interprocess, as existing programs do: find a key once, then read the fields through the pointer.
//
// Build:  g++ -std=c++17 -O2 -Wall -Wextra -DBOOST_INTERPROCESS_SEGMENT_MANAGER_ABI=1 legacy_reader.cpp -o legacy_reader -lrt
//         (Boost 1.87 and later need the macro to find anything; earlier ones ignore it.)
// Usage:  legacy_reader [--segment NAME] [--count LINES] [--seconds S] SHFE.rb2601...
//
// Prints one line of JSON for each instrument: its key's two halves, last price, best bid and ask; null where there is no value, and
// for time and volume, which this segment does not have. With --count or --seconds it goes on: a line whenever one of
// them has changed, and keys that are not there yet are looked for again.
// Exit: 0 done, 1 a key is not there, 2 usage, 3 not ready: there is no such segment (yet).
#include <boost/interprocess/allocators/allocator.hpp>
#include <boost/interprocess/containers/map.hpp>
#include <boost/interprocess/managed_shared_memory.hpp>

#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <utility>
#include <vector>

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

struct CharArrayComparer {
    bool operator()(const std::array<char, 64>& a, const std::array<char, 64>& b) const {
        return std::strncmp(a.data(), b.data(), 64) < 0;
    }
};

using Key = std::array<char, 64>;
using Allocator = bip::allocator<std::pair<const Key, Instrument>, bip::managed_shared_memory::segment_manager>;
using InsMapType = bip::map<Key, Instrument, CharArrayComparer, Allocator>;

struct Followed {
    Key key;
    const volatile Instrument* instrument;  // volatile: another process writes it
    std::array<double, 3> printed;
};

static void print_price(const char* name, double price) {
    if (std::isfinite(price)) {
        std::printf(",\"%s\":%.17g", name, price);
    } else {
        std::printf(",\"%s\":null", name);
    }
}

static void print_line(const Followed& of, const std::array<double, 3>& prices) {
    std::string key(of.key.data());
    std::size_t dot = key.find('.');
    std::string exchange = dot == std::string::npos ? "" : key.substr(0, dot);
    std::string instrument = dot == std::string::npos ? key : key.substr(dot + 1);
    std::printf("{\"instrument\":\"%s\",\"exchange\":\"%s\",\"time\":null", instrument.c_str(), exchange.c_str());
    print_price("last", prices[0]);
    print_price("bid1", prices[1]);
    print_price("ask1", prices[2]);
    std::printf(",\"volume\":null}\n");
    std::fflush(stdout);
}

// Prints what has changed, at most `most` lines. Returns how many it printed.
static long look(InsMapType& map, std::vector<Followed>& followed, long most) {
    long printed = 0;
    for (Followed& one : followed) {
        if (printed == most) break;
        bool first = one.instrument == nullptr;
        if (first) {
            auto found = map.find(one.key);
            if (found == map.end()) continue;
            one.instrument = &found->second;
        }
        std::array<double, 3> prices{one.instrument->last_price, one.instrument->bid_price1, one.instrument->ask_price1};
        // By their bits: NaN differs from itself.
        if (!first && std::memcmp(prices.data(), one.printed.data(), sizeof prices) == 0) continue;
        one.printed = prices;
        print_line(one, prices);
        printed++;
    }
    return printed;
}

static int usage() {
    std::fprintf(stderr, "usage: legacy_reader [--segment NAME] [--count LINES] [--seconds S] SHFE.rb2601...\n");
    return 2;
}

int main(int argc, char** argv) {
    std::string segment = "qamddata";
    long count = 0;
    double seconds = 0;
    std::vector<Followed> followed;
    for (int at = 1; at < argc; at++) {
        std::string argument = argv[at];
        if (argument.rfind("--", 0) == 0) {
            if (at + 1 == argc) return usage();
            const char* value = argv[++at];
            if (argument == "--segment") {
                segment = value;
            } else if (argument == "--count" && std::atol(value) > 0) {
                count = std::atol(value);
            } else if (argument == "--seconds" && std::atof(value) > 0) {
                seconds = std::atof(value);
            } else {
                return usage();
            }
        } else {
            Followed one{};
            if (argument.size() >= one.key.size()) return usage();
            std::memcpy(one.key.data(), argument.data(), argument.size());
            followed.push_back(one);
        }
    }
    if (followed.empty()) return usage();

    try {
        bip::managed_shared_memory memory(bip::open_only, segment.c_str());
        InsMapType* map = memory.find<InsMapType>("InsMap").first;
        if (map == nullptr) {
            std::fprintf(stderr, "there is no InsMap in %s\n", segment.c_str());
            return 1;
        }
        bool follow = count > 0 || seconds > 0;
        auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
        long printed = look(*map, followed, count > 0 ? count : -1);
        while (follow && (count == 0 || printed < count) && (seconds == 0 || std::chrono::steady_clock::now() < end)) {
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
            printed += look(*map, followed, count > 0 ? count - printed : -1);
        }
        for (const Followed& one : followed) {
            if (one.instrument != nullptr) continue;
            std::fprintf(stderr, "%s is not in %s\n", one.key.data(), segment.c_str());
            return 1;
        }
        return 0;
    } catch (const bip::interprocess_exception& error) {
        std::fprintf(stderr, "%s: %s\n", segment.c_str(), error.what());
        return error.get_error_code() == bip::not_found_error ? 3 : 1;
    }
}
