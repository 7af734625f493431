// Follows the ring of a fleet tick by tick, with libqamd_reader.so.
//
// Build:  g++ -std=c++17 -O2 -Wall -Wextra -I../shm-layout/include tick_follower.cpp -o tick_follower -L../target/release -lqamd_reader
//         (run it with LD_LIBRARY_PATH=../target/release, or link with -Wl,-rpath,... once the library is installed)
// Usage:  tick_follower [--instance NAME] [--runtime-dir DIR] [--count TICKS] [--seconds S] [rb2601 | SHFE.rb2601]...
//
// Prints one line of JSON for each tick (of the instruments named, or of all): instrument, exchange, the exchange's time in
// nanoseconds since 1970-01-01 UTC, last price, best bid and ask, volume; null where there is no value. It ends after so many
// ticks, or so many seconds, or with the fleet, and says on stderr how many ticks it lost.
// Exit: 0 done, 1 a fault, 2 usage, 3 not ready: the fleet does not run (yet).
#include "qamd_reader.h"

#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <set>
#include <string>
#include <vector>

struct Close {
    void operator()(qamd_reader* reader) const { qamd_reader_close(reader); }
};

struct Options {
    const char* instance = nullptr;
    const char* runtime_dir = nullptr;
    long count = 0;
    double seconds = 0;
    std::set<std::string> names;
};

static void print_price(const char* name, double price) {
    if (qamd_has_price(price)) {
        std::printf(",\"%s\":%.17g", name, price);
    } else {
        std::printf(",\"%s\":null", name);
    }
}

static void print_tick(const qamd_tick& tick) {
    std::printf("{\"instrument\":\"%.80s\",\"exchange\":\"%.8s\",\"time\":", tick.instrument_id, tick.exchange_id);
    if (tick.exchange_time_ns == QAMD_NO_TIME) {
        std::printf("null");
    } else {
        std::printf("%" PRId64, tick.exchange_time_ns);
    }
    print_price("last", tick.last_price);
    print_price("bid1", tick.levels[0].bid_price);
    print_price("ask1", tick.levels[0].ask_price);
    std::printf(",\"volume\":%" PRId32 "}\n", tick.volume);
}

static bool is_wanted(const Options& options, const qamd_tick& tick) {
    if (options.names.empty()) return true;
    char instrument[sizeof tick.instrument_id + 1];
    char exchange[sizeof tick.exchange_id + 1];
    qamd_text(instrument, tick.instrument_id, sizeof tick.instrument_id);
    qamd_text(exchange, tick.exchange_id, sizeof tick.exchange_id);
    return options.names.count(instrument) > 0 || options.names.count(std::string(exchange) + "." + instrument) > 0;
}

static bool parse(int argc, char** argv, Options& options) {
    for (int at = 1; at < argc; at++) {
        std::string argument = argv[at];
        if (argument.rfind("--", 0) != 0) {
            options.names.insert(argument);
            continue;
        }
        if (at + 1 == argc) return false;
        const char* value = argv[++at];
        if (argument == "--instance") {
            options.instance = value;
        } else if (argument == "--runtime-dir") {
            options.runtime_dir = value;
        } else if (argument == "--count" && std::atol(value) > 0) {
            options.count = std::atol(value);
        } else if (argument == "--seconds" && std::atof(value) > 0) {
            options.seconds = std::atof(value);
        } else {
            return false;
        }
    }
    return true;
}

// Prints ticks until the wanted number or time is reached. False when the reader failed.
static bool follow(qamd_reader* reader, const Options& options) {
    using Clock = std::chrono::steady_clock;
    const auto end = Clock::now() + std::chrono::duration<double>(options.seconds);
    std::vector<qamd_tick> ticks(256);
    long printed = 0;
    while (options.seconds <= 0 || Clock::now() < end) {
        std::int64_t count = qamd_reader_next(reader, ticks.data(), ticks.size(), 100000);
        if (count < 0) return false;
        for (std::int64_t index = 0; index < count; index++) {
            const qamd_tick& tick = ticks[static_cast<std::size_t>(index)];
            if (!is_wanted(options, tick)) continue;
            print_tick(tick);
            if (++printed == options.count) return true;
        }
        if (count > 0) std::fflush(stdout);
    }
    return true;
}

int main(int argc, char** argv) {
    Options options;
    if (!parse(argc, argv, options)) {
        std::fprintf(stderr, "usage: tick_follower [--instance NAME] [--runtime-dir DIR] [--count TICKS] [--seconds S] "
                             "[rb2601 | SHFE.rb2601]...\n");
        return 2;
    }
    if (qamd_reader_tick_schema() != QAMD_TICK_SCHEMA) {
        std::fprintf(stderr, "libqamd_reader %s has another tick than this program\n", qamd_reader_version());
        return 1;
    }
    qamd_reader* opened = nullptr;
    char error[512];
    int state = qamd_reader_open(options.instance, options.runtime_dir, &opened, error, sizeof error);
    if (state != QAMD_READER_OK) {
        std::fprintf(stderr, "%s\n", error);
        return state == QAMD_READER_NOT_READY ? 3 : 1;
    }
    std::unique_ptr<qamd_reader, Close> reader(opened);
    std::fprintf(stderr, "following\n");
    bool went_well = follow(reader.get(), options);
    std::fflush(stdout);
    if (!went_well) std::fprintf(stderr, "%s\n", qamd_reader_error(reader.get()));
    std::fprintf(stderr, "lost %" PRIu64 ", copies left out %" PRIu64 "\n", qamd_reader_lost(reader.get()),
                 qamd_reader_copies(reader.get()));
    return went_well ? 0 : 1;
}
