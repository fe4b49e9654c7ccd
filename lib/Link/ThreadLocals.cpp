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
// A new thread_local has no block: threads that run already got theirs without
// it. It gets what a compiler gives it on a system without TLS relocations, by
// the same runtime (libgcc's "emulated TLS"): a control block
//
//   { size, alignment, null, initial value or null }
//
// from which __emutls_get_address makes the calling thread's own copy at its
// first use, in threads old and new. The copy goes when the thread's
// pthread-specific data does: after the destructors of C++ thread_locals ran,
// for which __cxa_thread_atexit is called as ever.
//
// What sets up a thread_local by code runs once in each thread, and the
// compiler's guard is one for all of a unit: in a thread where it is set the
// code of a new variable would never run. So that has a guard of its own.
//
// The variable's debug metadata goes away with it: its location would be a
// DTPOFF64 relocation, which makes JITLink reject the whole object.

#include "Link/ThreadLocals.h"

#include "Support/Error.h"
#include "Support/FmtSupport.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/Instructions.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/IR/Module.h"
#include "llvm/IR/ReplaceConstant.h"

using namespace hotjit;
using namespace llvm;

extern "C" void *__emutls_get_address(void *Control);

ProgramAddr hotjit::threadStorageFunction() {
  return ProgramAddr(reinterpret_cast<uint64_t>(&__emutls_get_address));
}

using AddressMaker = function_ref<Value *(IRBuilder<> &)>;

static void replaceIn(PHINode &Phi, const Value &Variable,
                      AddressMaker Address) {
  for (BasicBlock *From : Phi.blocks())
    if (Phi.getIncomingValueForBlock(From) == &Variable) {
      IRBuilder<> B(From->getTerminator());
      Phi.setIncomingValueForBlock(From, Address(B));
    }
}

/// Lets all code mean Address where it says Variable. Most code asks for the
/// address by an intrinsic; initializers and guards name the variable itself.
static Error replaceUses(GlobalVariable &Variable, AddressMaker Address) {
  convertUsersOfConstantsToInstructions({&Variable});
  SmallSetVector<Instruction *, 8> Code;
  for (User *U : Variable.users()) {
    auto *I = dyn_cast<Instruction>(U);
    if (!I)
      return makeError("thread-local '{}' is used in a way that cannot be "
                       "bound to the program's; restart to apply",
                       Variable.getName());
    Code.insert(I);
  }
  for (Instruction *I : Code) {
    if (auto *Phi = dyn_cast<PHINode>(I)) {
      replaceIn(*Phi, Variable, Address);
      continue;
    }
    IRBuilder<> B(I);
    Value *Here = Address(B);
    auto *Access = dyn_cast<IntrinsicInst>(I);
    if (Access && Access->getIntrinsicID() == Intrinsic::threadlocal_address) {
      Access->replaceAllUsesWith(Here);
      Access->eraseFromParent();
    } else {
      I->replaceUsesOfWith(&Variable, Here);
    }
  }
  return Error::success();
}

//===-- The program's -----------------------------------------------------===//

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

static Value *addressFrom(IRBuilder<> &B, StringRef Function,
                          GlobalVariable &Argument) {
  FunctionCallee Get = Argument.getParent()->getOrInsertFunction(
      Function,
      FunctionType::get(B.getPtrTy(), {B.getPtrTy()}, /*isVarArg=*/false));
  CallInst *Call = B.CreateCall(Get, {&Argument});
  Call->setDoesNotThrow();
  return Call;
}

Error hotjit::bindThreadLocal(GlobalVariable &Variable,
                              const ThreadLocalPlace &Place) {
  if (!Place.BlockOffset && Place.ModuleId == 0)
    return makeError("thread-local '{}': its module has no TLS block",
                     Variable.getName());
  GlobalVariable *Index = nullptr;
  if (!Place.BlockOffset && !Variable.use_empty())
    Index = makeTlsIndex(*Variable.getParent(), Place.ModuleId, Place.Offset);
  Error Failed = replaceUses(Variable, [&](IRBuilder<> &B) {
    return Index ? addressFrom(B, "__tls_get_addr", *Index)
                 : addressFromThreadPointer(
                       B,
                       *Place.BlockOffset + static_cast<int64_t>(Place.Offset));
  });
  if (!Failed)
    Variable.eraseFromParent();
  return Failed;
}

//===-- New ones ----------------------------------------------------------===//

static StructType *controlBlockType(Module &M) {
  Type *Word = Type::getInt64Ty(M.getContext());
  Type *Pointer = PointerType::getUnqual(M.getContext());
  return StructType::get(M.getContext(), {Word, Word, Pointer, Pointer});
}

static GlobalVariable *makeControlBlock(Module &M, Constant *Value,
                                        Align Alignment,
                                        GlobalValue::LinkageTypes Linkage) {
  StructType *T = controlBlockType(M);
  Type *Word = T->getElementType(0);
  Constant *Null = Constant::getNullValue(T->getElementType(2));
  Constant *Initial = Null;
  if (!Value->isNullValue()) {
    auto *Copy = new GlobalVariable(M, Value->getType(), /*isConstant=*/true,
                                    GlobalValue::PrivateLinkage, Value,
                                    "hj$threadvalue");
    Copy->setAlignment(Alignment);
    Initial = Copy;
  }
  uint64_t Size = M.getDataLayout().getTypeAllocSize(Value->getType());
  Constant *Fields[] = {ConstantInt::get(Word, Size),
                        ConstantInt::get(Word, Alignment.value()), Null,
                        Initial};
  auto *Control = new GlobalVariable(M, T, /*isConstant=*/false, Linkage,
                                     ConstantStruct::get(T, Fields));
  Control->setAlignment(Align(8));
  Control->setDSOLocal(true);
  return Control;
}

/// Lets all code that says Variable ask Control for the thread's own.
static Error replaceBy(GlobalVariable &Variable, GlobalVariable &Control) {
  Control.takeName(&Variable);
  Error Failed = replaceUses(Variable, [&](IRBuilder<> &B) {
    return addressFrom(B, ThreadStorageSymbol, Control);
  });
  if (!Failed)
    Variable.eraseFromParent();
  return Failed;
}

Error hotjit::createThreadLocal(GlobalVariable &Variable) {
  Module &M = *Variable.getParent();
  Align Alignment = Variable.getAlign().value_or(
      M.getDataLayout().getABITypeAlign(Variable.getValueType()));
  return replaceBy(Variable,
                   *makeControlBlock(M, Variable.getInitializer(), Alignment,
                                     GlobalValue::ExternalLinkage));
}

Expected<GlobalVariable *>
hotjit::useCreatedThreadLocal(GlobalVariable &Variable) {
  Module &M = *Variable.getParent();
  auto *Control = new GlobalVariable(M, controlBlockType(M),
                                     /*isConstant=*/false,
                                     GlobalValue::ExternalLinkage, nullptr);
  if (Error E = replaceBy(Variable, *Control))
    return std::move(E);
  return Control;
}

GlobalVariable &hotjit::defineThreadInit(StringRef Name,
                                         Function &Initializer) {
  Module &M = *Initializer.getParent();
  LLVMContext &Context = M.getContext();
  Function *F = Function::Create(Initializer.getFunctionType(),
                                 GlobalValue::ExternalLinkage, "", M);
  F->setAttributes(Initializer.getAttributes());
  if (GlobalValue *Was = M.getNamedValue(Name)) {
    F->takeName(Was);
    Was->replaceAllUsesWith(F);
    Was->eraseFromParent();
  } else {
    F->setName(Name);
  }
  BasicBlock *Entry = BasicBlock::Create(Context, "", F);
  BasicBlock *First = BasicBlock::Create(Context, "", F);
  BasicBlock *Done = BasicBlock::Create(Context, "", F);
  IRBuilder<> B(Entry);
  GlobalVariable *Guard =
      makeControlBlock(M, B.getInt8(0), Align(1), GlobalValue::PrivateLinkage);
  Guard->setName("hj$threadguard");
  Value *IsDone = addressFrom(B, ThreadStorageSymbol, *Guard);
  B.CreateCondBr(B.CreateIsNull(B.CreateLoad(B.getInt8Ty(), IsDone)), First,
                 Done);
  B.SetInsertPoint(First);
  // Set before: the code may use the variable itself.
  B.CreateStore(B.getInt8(1), IsDone);
  B.CreateCall(&Initializer);
  B.CreateBr(Done);
  B.SetInsertPoint(Done);
  B.CreateRetVoid();
  return *Guard;
}
