#include "base/memory.hpp"

#include <bit>
#include <cstdint>
#include <cstring>
#include <limits>
#include <mutex>
#include <new>
#include <stdexcept>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TT_ADDRESS_SANITIZER 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define TT_ADDRESS_SANITIZER 1
#endif

namespace throughtime {

namespace {

constexpr std::size_t alignment = 64;
constexpr std::size_t largest = std::numeric_limits<Size>::max() / 2;

// Stands before each block, on a cache line of its own, so that the block is aligned too.
struct alignas(alignment) Header {
    std::size_t size;  // of the block
    Header* next;      // the next idle block of this size class
};

#if defined(TT_ADDRESS_SANITIZER)

// Each block is exactly as large as asked for and never used again: this shows each wrong access.
constexpr std::size_t most_idle = 0;
std::size_t rounded(std::size_t bytes) { return bytes; }

#else

constexpr std::size_t most_idle = std::size_t{512} << 20;

// Four sizes from one power of two to the next: at most a fifth of a block is unused.
std::size_t rounded(std::size_t bytes) {
    if (bytes <= 256) return 256;
    const int step = std::bit_width(bytes - 1) - 3;
    return ((bytes - 1) >> step << step) + (std::size_t{1} << step);
}

#endif

// The number of the size class; the first one ends at 256 bytes.
int class_of(std::size_t size) {
    if (size <= 256) return 0;
    const int step = std::bit_width(size - 1) - 3;
    return 4 * step + static_cast<int>((size - 1) >> step);
}

class MemoryPool {
   public:
    void* take(std::size_t bytes) {
        if (bytes > largest) throw std::bad_alloc();
        const std::size_t size = rounded(bytes);
        Header* block = idle_block(size);
        if (block == nullptr) block = fresh(size);
#if !defined(NDEBUG)
        std::memset(block + 1, 0xFF, size);  // NaN as float and as double
#endif
        return block + 1;
    }

    void give(void* place) {
        Header* const block = static_cast<Header*>(place) - 1;
        {
            const std::lock_guard lock(mutex);
            if (block->size < most_idle - idle) {
                Header*& first = lists[class_of(block->size)];
                block->next = first;
                first = block;
                idle += block->size;
                return;
            }
        }
        release(block);
    }

    std::size_t trim() {
        Header* freed[classes];
        std::size_t bytes;
        {
            const std::lock_guard lock(mutex);
            std::memcpy(freed, lists, sizeof lists);
            std::memset(lists, 0, sizeof lists);
            bytes = idle;
            idle = 0;
        }
        for (Header* block : freed)
            while (block != nullptr) {
                Header* const next = block->next;
                release(block);
                block = next;
            }
        return bytes;
    }

   private:
    static constexpr int classes = 4 * 64 + 4;

    Header* idle_block(std::size_t size) {
        const std::lock_guard lock(mutex);
        Header*& first = lists[class_of(size)];
        Header* const block = first;
        if (block != nullptr) {
            first = block->next;
            idle -= block->size;
        }
        return block;
    }

    Header* fresh(std::size_t size) {
        const auto aligned = static_cast<std::align_val_t>(alignment);
        void* raw = ::operator new(sizeof(Header) + size, aligned, std::nothrow);
        if (raw == nullptr) {  // idle blocks of other sizes may be enough
            trim();
            raw = ::operator new(sizeof(Header) + size, aligned);
        }
        return new (raw) Header{size, nullptr};
    }

    static void release(Header* block) {
        ::operator delete(block, static_cast<std::align_val_t>(alignment));
    }

    std::mutex mutex;
    Header* lists[classes] = {};
    std::size_t idle = 0;
};

// Never destroyed: arrays give their blocks back until the very end of the process.
MemoryPool& pool() {
    static MemoryPool* const one = new MemoryPool;
    return *one;
}

}  // namespace

std::size_t bytes_of(std::size_t item, std::initializer_list<Size> sizes) {
    std::size_t bytes = item;
    bool empty = false;
    for (const Size size : sizes) {
        if (size < 0) throw std::invalid_argument("sizes must not be negative");
        empty = empty || size == 0;
    }
    if (empty) return 0;
    for (const Size size : sizes)
        if (__builtin_mul_overflow(bytes, static_cast<std::size_t>(size), &bytes) ||
            bytes > largest)
            throw std::overflow_error("the arrays of this call would be larger than any memory");
    return bytes;
}

void* take(std::size_t bytes) { return pool().take(bytes); }

void give(void* block) {
    if (block != nullptr) pool().give(block);
}

std::size_t trim() { return pool().trim(); }

}  // namespace throughtime
