#ifndef HOTJIT_PATCH_ARCH_X86_64_CALLFRAMEENTRY_H
#define HOTJIT_PATCH_ARCH_X86_64_CALLFRAMEENTRY_H

#include "Support/ProgramAddr.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"
#include <optional>

namespace hotjit {

/// What the unwinder knows of one range of code: an FDE and its CIE.
struct CallFrameEntry {
  uint64_t CodeAlignment = 1;
  int64_t DataAlignment = -8;
  bool SignalFrame = false;        ///< the kernel made the frame
  llvm::ArrayRef<uint8_t> Initial; ///< the CIE's call frame instructions
  llvm::ArrayRef<uint8_t> Program; ///< the FDE's
};

constexpr unsigned DwarfReturnAddress = 16; ///< its register

/// Of tables that say something that we do not know.
llvm::Error unclearTable(const char *What);

/// Reads the frame description entry at FDE, of a section .eh_frame.
llvm::Expected<CallFrameEntry> parseCallFrameEntry(const uint8_t *FDE);

struct FoundCallFrameEntry {
  const uint8_t *FDE;
  ProgramAddr Function; ///< where the range that it describes begins
};
/// As the unwinder itself looks it up: loaded objects and what is registered.
std::optional<FoundCallFrameEntry> findCallFrameEntry(ProgramAddr Code);

/// Bytes read from the front; reading past the end gives zeros and Failed.
class FrameBytes {
public:
  FrameBytes(const uint8_t *Begin, const uint8_t *End) : At(Begin), End(End) {}

  bool empty() const { return At >= End; }
  const uint8_t *position() const { return At; }
  void skip(uint64_t Size);
  uint8_t byte();
  uint64_t fixed(unsigned Size);
  uint64_t uleb();
  int64_t sleb();

  bool Failed = false;

private:
  template <typename T>
  T leb(T (*Decode)(const uint8_t *, unsigned *, const uint8_t *,
                    const char **));

  const uint8_t *At;
  const uint8_t *End;
};

} // namespace hotjit

#endif
