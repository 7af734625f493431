// A program that has the segment mapped as existing ones do, for the tests: what it does is named by its second argument.

#ifndef BOOST_INTERPROCESS_SEGMENT_MANAGER_ABI
#define BOOST_INTERPROCESS_SEGMENT_MANAGER_ABI 1
#endif
#include <boost/interprocess/managed_shared_memory.hpp>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <pthread.h>
#include <unistd.h>
#include <vector>

namespace bip = boost::interprocess;

namespace {

constexpr std::size_t kIndexMutex = 112;

struct Widget {
    long value;
};

// Leaves holes of several sizes among the blocks, and objects of its own in both indices.
void litter(bip::managed_shared_memory& segment) {
    std::vector<void*> blocks;
    for (int index = 0; index < 24; ++index) blocks.push_back(segment.allocate(40 + index * 72));
    for (int index = 0; index < 24; index += 2) segment.deallocate(blocks[index]);
    for (const char* name : {"a", "bb", "another", "InsMaq", "InsMa", "zzzzzz", "a name of many words"}) {
        segment.construct<Widget>(name)[3](Widget{7});
    }
    segment.construct<char>("byte")('x');
    segment.construct<Widget>(bip::unique_instance)(Widget{8});
    segment.construct<long>(bip::unique_instance)(9L);
    segment.construct<Widget>(bip::anonymous_instance)(Widget{9});
}

}  // namespace

int main(int count, char** arguments) {
    if (count != 3) return 2;
    bip::managed_shared_memory segment(bip::open_only, arguments[1]);
    char* base = static_cast<char*>(segment.get_address());
    auto* mutex = reinterpret_cast<pthread_mutex_t*>(base + kIndexMutex);
    if (std::strcmp(arguments[2], "litter") == 0) {
        litter(segment);
    } else if (std::strcmp(arguments[2], "hold") == 0) {
        if (pthread_mutex_lock(mutex) != 0) return 3;
    } else if (std::strcmp(arguments[2], "find") == 0) {
        if (segment.find<Widget>("InsMap").first == nullptr) return 3;
    } else {
        return 2;
    }
    std::puts("done");
    std::fflush(stdout);
    // Until the test ends it, or closes its end.
    char byte;
    while (read(STDIN_FILENO, &byte, 1) > 0) {
    }
    _exit(0);
}
