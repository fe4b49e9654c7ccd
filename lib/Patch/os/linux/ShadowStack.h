#ifndef HOTJIT_PATCH_OS_LINUX_SHADOWSTACK_H
#define HOTJIT_PATCH_OS_LINUX_SHADOWSTACK_H

namespace hotjit {

/// Does the calling thread, and so any that the program has started, return
/// through a CET shadow stack? Such a program cannot be made to jump by `ret`.
bool hasShadowStack();

} // namespace hotjit

#endif
