// Where Clang has used up most of eight megabytes of stack it goes on in a
// thread that it makes for that, and waits. A crash there cannot be caught by
// the thread that waits, nor can that be interrupted. The threads that compile
// have larger stacks, and an overflow is caught; so Clang stays where it is.
//
// These are all the functions of LLVM's ProgramStack.cpp: the linker finds them
// here and does not take that file from LLVM's archive.

#include "Compile/OneStack.h"

#include "llvm/Support/ProgramStack.h"

uintptr_t llvm::getStackPointer() {
  return reinterpret_cast<uintptr_t>(__builtin_frame_address(0));
}

unsigned llvm::getDefaultStackSize() { return 8u << 20; }

void llvm::runOnNewStack(unsigned, function_ref<void()> Function) {
  Function();
}

void hotjit::compileOnOneStack() {}
