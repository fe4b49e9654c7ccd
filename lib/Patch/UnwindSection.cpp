#include "Patch/UnwindSection.h"

#include "llvm/ADT/STLExtras.h"

// libgcc: a section of entries that ends with a zero word.
extern "C" void __register_frame(void *);
extern "C" void __deregister_frame(void *);

namespace hotjit {

void UnwindSection::add(llvm::ArrayRef<uint8_t> More) {
  Records.insert(Records.end(), More.begin(), More.end());
  Changed = true;
}

void UnwindSection::publish() {
  if (!Changed)
    return;
  Changed = false;
  // libgcc sorts a section when it first looks into it, and never again: what
  // was appended would not be found. So a larger copy takes its place.
  auto Copy = std::make_unique<uint8_t[]>(Records.size() + 4);
  llvm::copy(Records, Copy.get());
  if (Registered) {
    __deregister_frame(const_cast<uint8_t *>(Registered));
    delete[] Registered;
  }
  Registered = Copy.release();
  __register_frame(const_cast<uint8_t *>(Registered));
}

} // namespace hotjit
