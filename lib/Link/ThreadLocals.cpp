// A thread_local of the program lives in the TLS block of the module that
// defines it. A static linker would let the code name it by one of the TLS
// relocations; JITLink knows only the general-dynamic one, and gives it a
// meaning that needs the ORC runtime: without that the link succeeds and the
// code silently reads somebody else's memory. So no TLS relocation may ever
// reach JITLink. The address is computed in IR instead:
//
// - The block of the executable, and of a shared object in static TLS, lies at
//   the same distance from the thread pointer in every thread: a constant.
// - For any other module the dynamic linker's own __tls_get_addr is asked with
//   the pair {module id, offset} that a static linker would have put into the
//   GOT. It allocates the block in threads that have none yet.
//
// The variable's debug metadata goes away with it: its location would be a
// DTPOFF64 relocation, which makes JITLink reject the whole object.

#include "Link/ThreadLocals.h"

#include "Support/Error.h"
#include "Support/FmtSupport.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/IR/Module.h"

using namespace hotjit;
using namespace llvm;

static Value *addressFromThreadPointer(IRBuilder<> &B, int64_t Offset) {
  Value *ThreadPointer =
      B.CreateIntrinsic(Intrinsic::thread_pointer, {B.getPtrTy()}, {});
  return B.CreatePtrAdd(ThreadPointer, B.getInt64(Offset));
}

/// The pair that __tls_get_addr(3) takes: struct { size_t Module, Offset; }.
static GlobalVariable *makeTlsIndex(Module &M, uint64_t ModuleId,
                                    uint64_t Offset) {
  Constant *Pair = ConstantDataArray::get(
      M.getContext(), ArrayRef<uint64_t>({ModuleId, Offset}));
  auto *Index =
      new GlobalVariable(M, Pair->getType(), /*isConstant=*/true,
                         GlobalValue::PrivateLinkage, Pair, "hj$tlsindex");
  Index->setAlignment(Align(8));
  return Index;
}

static Value *addressFromLinker(IRBuilder<> &B, GlobalVariable &Index) {
  FunctionCallee Get = Index.getParent()->getOrInsertFunction(
      "__tls_get_addr",
      FunctionType::get(B.getPtrTy(), {B.getPtrTy()}, /*isVarArg=*/false));
  return B.CreateCall(Get, {&Index});
}

Error hotjit::bindThreadLocal(GlobalVariable &Variable,
                              const PlannedVariable &Planned) {
  SmallVector<IntrinsicInst *> Accesses;
  for (User *U : Variable.users()) {
    auto *Access = dyn_cast<IntrinsicInst>(U);
    if (!Access || Access->getIntrinsicID() != Intrinsic::threadlocal_address)
      return makeError(
          "thread-local '{}' is used in a way that cannot be bound "
          "to the program's; restart to apply",
          Planned.Symbol);
    Accesses.push_back(Access);
  }
  if (!Planned.TlsBlockOffset && Planned.TlsModuleId == 0)
    return makeError("thread-local '{}': its module has no TLS block",
                     Planned.Symbol);

  GlobalVariable *Index = nullptr;
  if (!Planned.TlsBlockOffset && !Accesses.empty())
    Index = makeTlsIndex(*Variable.getParent(), Planned.TlsModuleId,
                         Planned.TlsOffset);
  for (IntrinsicInst *Access : Accesses) {
    IRBuilder<> B(Access);
    Value *Address = Index
                         ? addressFromLinker(B, *Index)
                         : addressFromThreadPointer(
                               B, *Planned.TlsBlockOffset +
                                      static_cast<int64_t>(Planned.TlsOffset));
    Access->replaceAllUsesWith(Address);
    Access->eraseFromParent();
  }
  Variable.eraseFromParent();
  return Error::success();
}
