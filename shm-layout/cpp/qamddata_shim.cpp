// The only C++ of the product: makes the segment's managed memory and map with Boost, and inserts. Flat extern "C"; no
// exception crosses it, and it opens and maps nothing: that is done by whoever calls it.

// Boost 1.87 changed the segment manager's layout unless told to keep it; earlier ones do not know the macro.
#define BOOST_INTERPROCESS_SEGMENT_MANAGER_ABI 1

#include <boost/interprocess/allocators/allocator.hpp>
#include <boost/interprocess/containers/map.hpp>
#include <boost/interprocess/managed_shared_memory.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <pthread.h>
#include <utility>

namespace bip = boost::interprocess;

namespace {

// As the programs that read the segment have it.
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

static_assert(sizeof(Instrument) == 96, "an instrument has 96 bytes");
static_assert(offsetof(Instrument, product_class) == 8, "");
static_assert(offsetof(Instrument, price_tick) == 40, "");
static_assert(offsetof(Instrument, bid_price1) == 88, "");

using Key = std::array<char, 64>;

struct CharArrayComparer {
    bool operator()(const Key& a, const Key& b) const {
        return std::strncmp(a.data(), b.data(), a.size()) < 0;
    }
};

using Manager = bip::managed_shared_memory::segment_manager;
using Entry = std::pair<const Key, Instrument>;
using Map = bip::map<Key, Instrument, CharArrayComparer, bip::allocator<Entry, Manager>>;

// What managed_shared_memory puts before the segment manager: a status word, rounded up.
constexpr std::size_t kManagerOffset = 16;
constexpr std::size_t kAllocatorMutex = 16;
constexpr std::size_t kIndexMutex = 112;
constexpr std::uint32_t kInitialised = 2;

enum Outcome : int { kDone = 0, kThere = 1, kFull = 2, kFailed = 3 };

// Boost 1.78 and later make mutexes that throw in whoever comes after a holder that died. With these, such a one waits until
// the watch has freed the mutex, whatever Boost this was built with.
bool make_mutex(char* at, bool recursive) {
    pthread_mutexattr_t attributes;
    if (pthread_mutexattr_init(&attributes) != 0) return false;
    bool made = pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED) == 0;
    // Left alone otherwise, as Boost does: naming even the default changes what the mutex says of itself.
    if (recursive) {
        made = made && pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE) == 0;
    }
    if (made) {
        std::memset(at, 0, sizeof(pthread_mutex_t));
        made = pthread_mutex_init(reinterpret_cast<pthread_mutex_t*>(at), &attributes) == 0;
    }
    pthread_mutexattr_destroy(&attributes);
    return made;
}

}  // namespace

extern "C" {

// Makes an empty map in `bytes` bytes of zeros. Says where the map lies.
int qamddata_make(char* base, std::size_t bytes, std::uint64_t* map_offset) noexcept {
    try {
        auto* manager = new (base + kManagerOffset) Manager(bytes - kManagerOffset);
        Map* map = manager->construct<Map>("InsMap")(CharArrayComparer(), manager);
        if (!make_mutex(base + kAllocatorMutex, false)) return kFailed;
        if (!make_mutex(base + kIndexMutex, true)) return kFailed;
        *map_offset = static_cast<std::uint64_t>(reinterpret_cast<char*>(map) - base);
        std::uint32_t status = kInitialised;
        std::memcpy(base, &status, sizeof status);
        return kDone;
    } catch (const bip::bad_alloc&) {
        return kFull;
    } catch (...) {
        return kFailed;
    }
}

// Inserts an instrument: 64 bytes of key, 96 of instrument. Says where the instrument lies, also when it was there.
// The structure at `base` is sound: Boost follows every link of it.
int qamddata_insert(char* base, std::uint64_t map_offset, const char* key, const char* instrument,
                    std::uint64_t* instrument_offset) noexcept {
    try {
        Map& map = *reinterpret_cast<Map*>(base + map_offset);
        Key name;
        std::memcpy(name.data(), key, name.size());
        // Copied as a whole, so that the padding is what the caller wants it to be.
        Instrument value;
        std::memcpy(static_cast<void*>(&value), instrument, sizeof value);
        // Looked for first: emplacing makes a node even where the key turns out to be there.
        auto found = map.find(name);
        bool there = found != map.end();
        if (!there) found = map.emplace(name, value).first;
        char* at = reinterpret_cast<char*>(&found->second);
        if (!there) std::memcpy(at, instrument, sizeof value);
        *instrument_offset = static_cast<std::uint64_t>(at - base);
        return there ? kThere : kDone;
    } catch (const bip::bad_alloc&) {
        return kFull;
    } catch (...) {
        return kFailed;
    }
}

}  // extern "C"
