#ifndef HOTJIT_WIRE_DESCRIPTOR_H
#define HOTJIT_WIRE_DESCRIPTOR_H

#include <unistd.h>
#include <utility>

namespace hotjit::wire {

/// Owns a file descriptor; -1 is none.
class Descriptor {
public:
  explicit Descriptor(int Number = -1) : Number(Number) {}
  Descriptor(Descriptor &&Other) : Number(std::exchange(Other.Number, -1)) {}
  Descriptor &operator=(Descriptor &&Other) {
    std::swap(Number, Other.Number);
    return *this;
  }
  ~Descriptor() {
    if (Number >= 0)
      ::close(Number);
  }
  int get() const { return Number; }
  explicit operator bool() const { return Number >= 0; }

private:
  int Number;
};

} // namespace hotjit::wire

#endif
