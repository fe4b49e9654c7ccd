#ifndef HOTJIT_SUPPORT_FMTSUPPORT_H
#define HOTJIT_SUPPORT_FMTSUPPORT_H

// Lets fmt print LLVM's strings and hotjit's addresses.

#include "Support/ProgramAddr.h"
#include "fmt/format.h"
#include "llvm/ADT/StringRef.h"

template <>
struct fmt::formatter<llvm::StringRef> : fmt::formatter<fmt::string_view> {
  template <typename Context> auto format(llvm::StringRef S, Context &C) const {
    return fmt::formatter<fmt::string_view>::format({S.data(), S.size()}, C);
  }
};

template <> struct fmt::formatter<hotjit::ProgramAddr> {
  constexpr auto parse(fmt::format_parse_context &C) { return C.begin(); }
  template <typename Context>
  auto format(hotjit::ProgramAddr A, Context &C) const {
    return fmt::format_to(C.out(), "{:#x}", A.value());
  }
};

#endif
