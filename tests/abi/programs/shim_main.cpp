// Makes a segment through the shim in a file of zeros, with the instruments of standard input. usage: shim_main FILE
#include "universe.hpp"

#include <cstdint>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

extern "C" int qamddata_make(char* base, std::size_t bytes, std::uint64_t* map_offset) noexcept;
extern "C" int qamddata_insert(char* base, std::uint64_t map_offset, const char* key, const char* instrument,
                               std::uint64_t* instrument_offset) noexcept;

int main(int, char** argv) {
    const std::size_t bytes = 32 << 20;
    int file = open(argv[1], O_RDWR | O_CREAT | O_EXCL, 0600);
    if (file < 0 || ftruncate(file, static_cast<off_t>(bytes)) != 0) return 1;
    void* base = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (base == MAP_FAILED) return 1;
    char* memory = static_cast<char*>(base);
    std::uint64_t map = 0;
    if (qamddata_make(memory, bytes, &map) != 0) return 2;
    for (const auto& one : read_universe()) {
        std::uint64_t offset = 0;
        const char* instrument = reinterpret_cast<const char*>(&one.second);
        if (qamddata_insert(memory, map, one.first.data(), instrument, &offset) != 0) return 3;
        if (std::memcmp(memory + offset, instrument, sizeof one.second) != 0) return 4;
    }
    return 0;
}
