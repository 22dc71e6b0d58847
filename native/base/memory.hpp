// Working memory that is kept and used again: fresh pages cost more than the work done in them.
#pragma once

#include <cstddef>
#include <initializer_list>

#include "base/common.hpp"

namespace throughtime {

// The product of the sizes times the bytes of one item. Throws std::overflow_error if it does not
// fit into an address, std::invalid_argument for a negative size.
std::size_t bytes_of(std::size_t item, std::initializer_list<Size> sizes);

// Returns a block of at least so many bytes, at an address that 64 divides, not cleared. Throws
// std::bad_alloc. May be called by any number of threads at once.
void* take(std::size_t bytes);

// Gives back what take() returned; a null pointer is ignored.
void give(void* block);

// Gives idle blocks back to the system; returns how many bytes that were.
std::size_t trim();

// A block for as long as its owner lives.
class Buffer {
   public:
    Buffer() = default;
    explicit Buffer(std::size_t bytes) : block(take(bytes)) {}
    Buffer(Buffer&& other) noexcept : block(other.block) { other.block = nullptr; }
    Buffer& operator=(Buffer&& other) noexcept {
        void* const mine = block;
        block = other.block;
        other.block = mine;
        return *this;
    }
    ~Buffer() { give(block); }

    void* data() const { return block; }

   private:
    void* block = nullptr;
};

}  // namespace throughtime
