// Reads ticks as fast as it can, and looks at each whether it is whole: all its numbers are the same.
// usage: depth_load NAME READS THREADS INSTRUMENT...
#include "qamd_depth.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

namespace {

constexpr int kBatch = 1000;

struct Tally {
    unsigned long long reads = 0, busy = 0, torn = 0, changes = 0;
    std::vector<double> batches;  // nanoseconds of a read
};

bool is_whole(const qamd_tick& t) {
    double n = static_cast<double>(t.sequence);
    int lots = static_cast<int>(t.sequence & 0x7fffffff);
    bool whole = t.volume == lots && t.last_price == n && t.turnover == n &&
                 t.upper_limit_price == n && t.lower_limit_price == n && t.pre_settlement_price == n;
    for (const auto& level : t.levels) {
        whole = whole && level.bid_price == n && level.ask_price == n && level.bid_volume == lots &&
                level.ask_volume == lots;
    }
    return whole;
}

Tally follow(const qamd_depth& depth, const std::vector<int64_t>& slots, unsigned long long reads) {
    Tally tally;
    unsigned long long last = 0;
    std::vector<qamd_tick> ticks(kBatch);
    std::vector<int> found(kBatch);
    while (tally.reads < reads) {
        auto begun = std::chrono::steady_clock::now();
        for (int i = 0; i < kBatch; ++i) {
            found[i] = qamd_depth_read(&depth, slots[i % slots.size()], &ticks[i % 4]);
            if (found[i] == QAMD_DEPTH_OK && !is_whole(ticks[i % 4])) ++tally.torn;
        }
        auto spent = std::chrono::steady_clock::now() - begun;
        tally.batches.push_back(std::chrono::duration<double, std::nano>(spent).count() / kBatch);
        tally.reads += kBatch;
        tally.busy += std::count(found.begin(), found.end(), QAMD_DEPTH_BUSY);
        if (ticks[0].sequence != last) ++tally.changes, last = ticks[0].sequence;
    }
    return tally;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 5) return 2;
    qamd_depth depth;
    int state = qamd_depth_open(argv[1], &depth);
    if (state != QAMD_DEPTH_OK) return std::fprintf(stderr, "state %d\n", state), 3;
    std::vector<int64_t> slots;
    for (int i = 4; i < argc; ++i) {
        slots.push_back(qamd_depth_find(&depth, argv[i]));
        if (slots.back() < 0) return std::fprintf(stderr, "no %s\n", argv[i]), 3;
    }
    unsigned long long reads = std::strtoull(argv[2], nullptr, 10);
    int threads = std::atoi(argv[3]);
    std::vector<Tally> tallies(threads);
    std::vector<std::thread> running;
    for (auto& tally : tallies) {
        running.emplace_back([&] { tally = follow(depth, slots, reads / threads); });
    }
    for (auto& thread : running) thread.join();
    Tally all;
    for (auto& tally : tallies) {
        all.reads += tally.reads, all.busy += tally.busy, all.torn += tally.torn;
        all.changes += tally.changes;
        all.batches.insert(all.batches.end(), tally.batches.begin(), tally.batches.end());
    }
    std::sort(all.batches.begin(), all.batches.end());
    auto at = [&](double share) { return all.batches[static_cast<size_t>(share * (all.batches.size() - 1))]; };
    std::printf("%llu reads, %llu torn, %llu busy, %llu changes seen; ns a read with its check: p50 %.1f p99 %.1f\n",
                all.reads, all.torn, all.busy, all.changes, at(0.5), at(0.99));
    qamd_depth_close(&depth);
    return all.torn == 0 ? 0 : 1;
}
