#ifndef HOTJIT_PATCH_UNWINDSECTION_H
#define HOTJIT_PATCH_UNWINDSECTION_H

#include "llvm/ADT/ArrayRef.h"
#include <cstdint>
#include <memory>
#include <vector>

namespace hotjit {

/// The .eh_frame section of one CodeRegion: one registration with the unwinder,
/// however many entries it has. libgcc wants registered sections not to
/// overlap, and looks through them one by one at each throw.
class UnwindSection {
public:
  UnwindSection() = default;
  UnwindSection(UnwindSection &&) = default;
  UnwindSection &operator=(UnwindSection &&) = delete;
  /// The registration stays: the code that it describes does, too.
  ~UnwindSection() = default;

  /// A CIE and its FDE.
  void add(llvm::ArrayRef<uint8_t> Records);

  /// Makes what was added known to the unwinder. For a moment in between it
  /// knows nothing of this section; only a backtrace from a signal that came
  /// inside of a stub can notice.
  void publish();

private:
  std::vector<uint8_t> Records;
  bool Changed = false;
  const uint8_t *Registered = nullptr;
};

} // namespace hotjit

#endif
