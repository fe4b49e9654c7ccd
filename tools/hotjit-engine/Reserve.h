#ifndef HOTJIT_TOOLS_ENGINE_RESERVE_H
#define HOTJIT_TOOLS_ENGINE_RESERVE_H

namespace hotjit {

/// To say that there is no memory takes some. So a piece of address space is
/// kept free for that: a limit of it (RLIMIT_AS) is the usual reason. Any
/// thread.
void keepReserve();

/// Gives it to whoever allocates next. False: it is used up.
bool useReserve();

} // namespace hotjit

#endif
