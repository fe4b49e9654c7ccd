#ifndef HOTJIT_WIRE_CHECKUP_H
#define HOTJIT_WIRE_CHECKUP_H

// What `hotjit doctor` says, as values, and their JSON both ways: the engine's
// library examines a program, the command prints it. Reading is as lenient as
// in Protocol.h.

#include "llvm/Support/JSON.h"
#include <string>
#include <vector>

namespace hotjit::wire {

/// A translation unit of the program, and how it is compiled for new code.
struct CheckedUnit {
  std::string File;
  std::string Module; ///< the shared object that has it; empty: the executable
  std::string Compiler; ///< that built it: "gcc", "clang", "other"
  unsigned Optimization = 0;
  std::string Directory;            ///< where the command runs
  std::vector<std::string> Command; ///< for the Clang inside; empty: none
  std::vector<std::string> Dropped; ///< flags that new code is compiled without
  std::string Code;                 ///< "HJ2006", if no edit of it can go live
  std::string Problem;              ///< why
  bool operator==(const CheckedUnit &) const = default;
};

/// What an edit of a function's body would come to.
struct CheckedFunction {
  std::string Name;
  std::string Symbol;
  std::string File;
  unsigned Line = 0;
  std::string Unit;   ///< its File
  std::string Module; ///< as its unit's
  std::string
      How; ///< "patchable", "plain", "callers", "none": refused, or "open"
  std::string Code;
  std::string Message; ///< why not, or what to know
  bool operator==(const CheckedFunction &) const = default;
};

/// Something that was tried, or read, of the system.
struct CheckedSystem {
  std::string Name;
  bool Good = true;
  std::string Message;
  std::string Advice; ///< if not Good
  bool operator==(const CheckedSystem &) const = default;
};

struct Checkup {
  std::string Program;
  std::string Problem;  ///< why nothing of it can be reloaded; empty: it can
  std::string Commands; ///< the compile commands that were found
  std::vector<CheckedUnit> Units;
  std::vector<CheckedFunction> Functions;
  std::vector<CheckedSystem> System;
  std::vector<std::string> Notes;
  std::vector<std::string> Advice; ///< what to change for best results
  bool operator==(const Checkup &) const = default;

  /// "good", "partly", "no".
  llvm::StringRef result() const;
};

llvm::json::Value toJSON(const Checkup &C);
bool fromJSON(const llvm::json::Value &V, Checkup &C, llvm::json::Path P);

} // namespace hotjit::wire

#endif
