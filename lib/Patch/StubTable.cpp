// A change takes effect for all of its functions at once, in all modules, with
// no thread stopped, because calls go through one pointer:
//
//   stub of f   -> current -> table 7: [ body of f, body of g, ... ]
//   stub of g   ->    |
//                     `----- one aligned store makes it table 8
//
// A call that has read `current` before the store ends in table 7, one that
// reads it later in table 8. A thread may sleep between the two loads for as
// long as it likes, so tables are never freed; 8 bytes per slot and commit. It
// may also hold an old table's address and ask for a slot that is newer? No:
// the code that knows a slot is written after a table that has it was
// published.
//
// Before the store a barrier makes all processors forget what they may have
// fetched where new code now lies.

#include "Patch/StubTable.h"

#include "Support/Error.h"
#include "llvm/Support/Errno.h"
#include <sys/mman.h>

namespace hotjit {

using llvm::Error;
using llvm::Expected;

// Tables are cut from pieces of this size: 32 Ki slots. Not touched, not used.
static constexpr size_t PieceWords = (256u << 10) / sizeof(uint64_t);

Expected<uint64_t *> StubTable::allocate(size_t Words) {
  if (Words > FreeWords) {
    size_t Piece = std::max(Words, PieceWords);
    void *Memory =
        ::mmap(nullptr, Piece * sizeof(uint64_t), PROT_READ | PROT_WRITE,
               MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (Memory == MAP_FAILED)
      return makeError("memory for a stub table: {} (HJ3006)",
                       llvm::sys::StrError(errno));
    Free = static_cast<uint64_t *>(Memory);
    FreeWords = Piece;
  }
  uint64_t *Result = Free;
  Free += Words;
  FreeWords -= Words;
  Used += Words * sizeof(uint64_t);
  return Result;
}

Expected<std::unique_ptr<StubTable>> StubTable::create(CodeBarrier Barrier) {
  std::unique_ptr<StubTable> T(new StubTable(Barrier, ProgramAddr()));
  Expected<uint64_t *> Word = T->allocate(1);
  if (!Word)
    return Word.takeError();
  T->Current = ProgramAddr(reinterpret_cast<uint64_t>(*Word));
  return std::move(T);
}

unsigned StubTable::addSlot(ProgramAddr Target) {
  Next.push_back(Target);
  return slots() - 1;
}

Error StubTable::publish() {
  Expected<uint64_t *> Table = allocate(Next.size());
  if (!Table)
    return Table.takeError();
  for (size_t I = 0; I != Next.size(); ++I)
    (*Table)[I] = Next[I].value();
  Barrier();
  __atomic_store_n(reinterpret_cast<uint64_t *>(Current.value()),
                   reinterpret_cast<uint64_t>(*Table), __ATOMIC_RELEASE);
  return Error::success();
}

} // namespace hotjit
