// A program that uses `qamddata` through Boost as existing ones do, for the tests that kill it or others.
//
// segment_user SEGMENT spin KEY    looks the key up all the time; says how often for each line of its input
// segment_user SEGMENT get KEY     looks the key up once and prints its last price
// segment_user SEGMENT walk        goes through the whole map and prints its keys, which must be in order
// segment_user SEGMENT hold        keeps the index's mutex until a line comes
// segment_user SEGMENT wreck       writes nonsense into a link of every node of the map but the last

#include "../../abi/programs/legacy_map.hpp"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <poll.h>
#include <string>
#include <unistd.h>

namespace {

Key key_of(const char* name) {
    Key key{};
    std::strncpy(key.data(), name, key.size() - 1);
    return key;
}

void say(const std::string& line) {
    std::puts(line.c_str());
    std::fflush(stdout);
}

// Waits for a line; at the end of the input the program ends.
void await_line() {
    char byte = 0;
    while (byte != '\n') {
        if (read(STDIN_FILENO, &byte, 1) != 1) std::_Exit(0);
    }
}

const Instrument* look_up(bip::managed_shared_memory& segment, const Key& key) {
    InsMapType* map = segment.find<InsMapType>("InsMap").first;
    if (map == nullptr) return nullptr;
    auto found = map->find(key);
    return found == map->end() ? nullptr : &found->second;
}

int spin(bip::managed_shared_memory& segment, const Key& key) {
    std::uint64_t found = 0, missed = 0;
    pollfd input{STDIN_FILENO, POLLIN, 0};
    say("spinning");
    for (;;) {
        for (int round = 0; round < 256; ++round) ++(look_up(segment, key) == nullptr ? missed : found);
        if (poll(&input, 1, 0) > 0) {
            await_line();
            say(std::to_string(found) + " " + std::to_string(missed));
        }
    }
}

int walk(bip::managed_shared_memory& segment) {
    InsMapType* map = segment.find<InsMapType>("InsMap").first;
    if (map == nullptr) return 3;
    std::size_t seen = 0;
    const Key* last = nullptr;
    for (const auto& entry : *map) {
        if (last != nullptr && !CharArrayComparer()(*last, entry.first)) return 4;
        last = &entry.first;
        if (++seen > map->size()) return 5;
        if (look_up(segment, entry.first) != &entry.second) return 6;
        std::puts(entry.first.data());
    }
    return seen == map->size() ? 0 : 7;
}

// The three words before the key are the node's links.
int wreck(bip::managed_shared_memory& segment) {
    InsMapType* map = segment.find<InsMapType>("InsMap").first;
    if (map == nullptr || map->empty()) return 3;
    for (auto entry = map->begin();;) {
        auto* links = reinterpret_cast<std::uint64_t*>(reinterpret_cast<char*>(&*entry)) - 3;
        if (++entry == map->end()) break;
        links[1] ^= 0x5a5a5a0;
    }
    return 0;
}

}  // namespace

int main(int count, char** arguments) {
    if (count < 3) return 2;
    const std::string does = arguments[2];
    bip::managed_shared_memory segment(bip::open_only, arguments[1]);
    if (does == "walk") return walk(segment);
    if (does == "wreck") return wreck(segment);
    if (does == "hold") {
        auto hold = [] {
            say("holding");
            await_line();
        };
        segment.atomic_func(hold);
        say("let go");
        await_line();
        return 0;
    }
    if (count < 4) return 2;
    const Key key = key_of(arguments[3]);
    if (does == "spin") return spin(segment, key);
    if (does != "get") return 2;
    const Instrument* instrument = look_up(segment, key);
    if (instrument == nullptr) return 1;
    std::printf("%.3f\n", instrument->last_price);
    return 0;
}
