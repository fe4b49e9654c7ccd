#ifndef HOTJIT_SUPPORT_PROGRAMADDR_H
#define HOTJIT_SUPPORT_PROGRAMADDR_H

#include "llvm/ADT/DenseMapInfo.h"
#include <compare>
#include <cstdint>

namespace hotjit {

/// An address in the program that hotjit changes: a number, not a pointer, so
/// that nobody follows it by accident. Only Patch and Link turn one into a
/// pointer, and a helper process could be put between by changing those.
class ProgramAddr {
public:
  constexpr ProgramAddr() = default;
  constexpr explicit ProgramAddr(uint64_t Value) : Value(Value) {}

  constexpr uint64_t value() const { return Value; }
  constexpr explicit operator bool() const { return Value != 0; }
  constexpr auto operator<=>(const ProgramAddr &) const = default;

  constexpr ProgramAddr operator+(int64_t Delta) const {
    return ProgramAddr(Value + Delta);
  }
  /// The distance in bytes.
  constexpr int64_t operator-(ProgramAddr Other) const {
    return static_cast<int64_t>(Value - Other.Value);
  }

private:
  uint64_t Value = 0;
};

/// The addresses Begin <= A < End.
struct AddrRange {
  ProgramAddr Begin;
  ProgramAddr End;

  constexpr uint64_t size() const { return End.value() - Begin.value(); }
  constexpr bool contains(ProgramAddr A) const { return Begin <= A && A < End; }
  constexpr bool operator==(const AddrRange &) const = default;
};

} // namespace hotjit

template <> struct llvm::DenseMapInfo<hotjit::ProgramAddr> {
  static hotjit::ProgramAddr getEmptyKey() {
    return hotjit::ProgramAddr(~0ULL);
  }
  static hotjit::ProgramAddr getTombstoneKey() {
    return hotjit::ProgramAddr(~0ULL - 1);
  }
  static unsigned getHashValue(hotjit::ProgramAddr A) {
    return DenseMapInfo<uint64_t>::getHashValue(A.value());
  }
  static bool isEqual(hotjit::ProgramAddr A, hotjit::ProgramAddr B) {
    return A == B;
  }
};

#endif
