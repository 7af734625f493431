// A program of those that have `qamddata` mapped for days: opens the segment once, looks a key up once, and keeps the pointer.
//
// old_reader SEGMENT
// Answers a line for each line on standard input: "find KEY" looks it up and keeps it (found, none); "get KEY" says, as JSON, what
// is there now; "mark" remembers every last price; "tell" says how many keys are kept and how many of them have another last price
// since.
#include "../../abi/programs/legacy_map.hpp"

#include <cmath>
#include <cstdio>
#include <iostream>
#include <map>
#include <string>

struct Kept {
    const volatile Instrument* instrument;  // volatile: another process writes it
    double marked;
};

static void print_number(const char* name, double number) {
    if (std::isnan(number)) {
        std::printf(",\"%s\":null", name);
    } else {
        std::printf(",\"%s\":%.17g", name, number);
    }
}

static void print(const volatile Instrument& of) {
    std::printf("{\"expired\":%d,\"product_class\":%ld,\"volume_multiple\":%ld", of.expired ? 1 : 0, of.product_class,
                of.volume_multiple);
    print_number("margin", of.margin);
    print_number("commission", of.commission);
    print_number("price_tick", of.price_tick);
    print_number("last_price", of.last_price);
    print_number("pre_settlement", of.pre_settlement);
    print_number("upper_limit", of.upper_limit);
    print_number("lower_limit", of.lower_limit);
    print_number("ask_price1", of.ask_price1);
    print_number("bid_price1", of.bid_price1);
    std::printf("}\n");
}

static bool find(InsMapType& map, std::map<std::string, Kept>& kept, const std::string& name) {
    Key key{};
    if (name.size() >= key.size()) return false;
    std::memcpy(key.data(), name.data(), name.size());
    auto found = map.find(key);
    if (found == map.end()) return false;
    kept[name] = Kept{&found->second, 0};
    return true;
}

int main(int argc, char** argv) {
    if (argc != 2) return 2;
    bip::managed_shared_memory memory(bip::open_only, argv[1]);
    InsMapType* map = memory.find<InsMapType>("InsMap").first;
    if (map == nullptr) return 1;
    std::map<std::string, Kept> kept;
    std::string line;
    while (std::getline(std::cin, line)) {
        std::string word = line.substr(0, line.find(' '));
        std::string name = word.size() < line.size() ? line.substr(word.size() + 1) : "";
        if (word == "find") {
            std::printf(find(*map, kept, name) ? "found\n" : "none\n");
        } else if (word == "get") {
            if (kept.count(name) == 0) return 1;
            print(*kept[name].instrument);
        } else if (word == "mark") {
            for (auto& [key, one] : kept) one.marked = one.instrument->last_price;
            std::printf("marked\n");
        } else if (word == "tell") {
            std::size_t changed = 0;
            for (const auto& [key, one] : kept) {
                double now = one.instrument->last_price;
                // By their bits: NaN differs from itself.
                if (std::memcmp(&now, &one.marked, sizeof now) != 0) changed++;
            }
            std::printf("{\"kept\":%zu,\"changed\":%zu}\n", kept.size(), changed);
        } else {
            return 1;
        }
        std::fflush(stdout);
    }
    return 0;
}
