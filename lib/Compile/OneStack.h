#ifndef HOTJIT_COMPILE_ONESTACK_H
#define HOTJIT_COMPILE_ONESTACK_H

namespace hotjit {

/// Clang stays on the thread that called it, however deep it recurses. Nothing
/// happens here: calling it links that in.
void compileOnOneStack();

} // namespace hotjit

#endif
