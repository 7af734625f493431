// Makes a segment as existing programs would, with the instruments of standard input. usage: creator NAME
#include "universe.hpp"

int main(int, char** argv) {
    bip::managed_shared_memory segment(bip::create_only, argv[1], 32 << 20);
    InsMapType* map = segment.construct<InsMapType>("InsMap")(CharArrayComparer(), segment.get_segment_manager());
    for (const auto& one : read_universe()) map->emplace(one.first, one.second);
    return 0;
}
