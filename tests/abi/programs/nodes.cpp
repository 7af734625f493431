// Opens a segment and prints where Boost says that things lie. usage: nodes NAME
// First "size BYTES", "map OFFSET", "count NUMBER"; then for each entry, in the map's order, its key, the key's offset and the
// instrument's.
#include "legacy_map.hpp"

#include <cstdio>

int main(int, char** argv) {
    bip::managed_shared_memory segment(bip::open_only, argv[1]);
    const char* base = static_cast<const char*>(segment.get_address());
    auto offset = [base](const void* at) { return static_cast<long>(static_cast<const char*>(at) - base); };
    InsMapType* map = segment.find<InsMapType>("InsMap").first;
    if (map == nullptr) return 1;
    std::printf("size %zu\nmap %ld\ncount %zu\n", segment.get_size(), offset(map), map->size());
    for (const auto& entry : *map) {
        if (map->find(entry.first) == map->end()) return 2;
        std::printf("%s %ld %ld\n", entry.first.data(), offset(&entry.first), offset(&entry.second));
    }
    return 0;
}
