#ifndef HOTJIT_AGENT_ISOLATION_H
#define HOTJIT_AGENT_ISOLATION_H

/* What the library that this is part of calls of libc is libc's from now on,
   whatever the program defines under these names. Before it has threads. */
void hotjit_bind_to_libc(void);

#endif
