#ifndef HOTJIT_TEST_UNIT_PATCH_TESTPROGRAM_H
#define HOTJIT_TEST_UNIT_PATCH_TESTPROGRAM_H

#include "Patch/EntryTable.h"
#include <string>
#include <vector>

namespace hotjit {

/// This test program as Image would describe it: its functions and the bytes of
/// its file. Reads the ELF file itself, so that Patch is tested alone.
class TestProgram {
public:
  struct Function {
    std::string Name;
    CodeEntry Entry;
  };

  TestProgram();

  AddrRange text() const { return Text; }
  llvm::ArrayRef<uint8_t> fileBytes(ProgramAddr A, uint64_t Size) const;
  FileBytes bytes() const {
    return [this](ProgramAddr A, uint64_t Size) { return fileBytes(A, Size); };
  }

  /// Functions whose names begin with Prefix. Those of targets.c that were
  /// built with "patchable" in their build's name are so.
  std::vector<Function> functions(llvm::StringRef Prefix) const;
  const Function *find(llvm::StringRef Name) const;

private:
  struct Segment {
    ProgramAddr Begin;
    uint64_t FileOffset;
    uint64_t FileSize;
  };
  std::vector<uint8_t> File;
  std::vector<Segment> Segments;
  std::vector<Function> All;
  AddrRange Text;
};

/// "target_gccO2_plain_leaf" -> "target_reference_leaf".
std::string referenceName(llvm::StringRef Name);

} // namespace hotjit

#endif
