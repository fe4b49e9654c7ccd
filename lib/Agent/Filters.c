/*
 * A filter of system calls (seccomp(2)) is of one thread and of those that it
 * makes later; hotjit's are not among them. But with SECCOMP_FILTER_FLAG_TSYNC
 * it is laid on every thread of the process, at once. It lists what the program
 * needs, and hotjit needs more: most of these filters end the process at the
 * first call that is not on the list, or end the thread, or make calls fail
 * that do not fail otherwise. What a filter says about a call is known only by
 * trying.
 *
 * So before that hotjit goes: the engine says why, its threads end and are
 * joined. Code that is live stays.
 *
 * libseccomp and others make the call by syscall(2) of libc, which is
 * interposed here for this; prctl(2) has no such flag. Who has an instruction
 * of his own for it is not seen.
 *
 * Allocators call syscall(2) before anything else runs, with their locks held,
 * so libc's is not looked for: its whole work is the instruction below.
 */

#include "Agent.h"
#include <errno.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>

static int is_filter_of_all_threads(long number, long operation, long flags) {
  return number == SYS_seccomp && operation == SECCOMP_SET_MODE_FILTER &&
         (flags & SECCOMP_FILTER_FLAG_TSYNC);
}

/* x86-64: what the kernel returns, -errno included. */
static long enter_kernel(long number, long a, long b, long c, long d, long e,
                         long f) {
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  long result;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8),
                     "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}

/* libc's takes as many as the call has, too: the others are not looked at. */
__attribute__((visibility("default"))) long
hotjit_agent_syscall(long number, long a, long b, long c, long d, long e,
                     long f) __asm__("syscall");

long hotjit_agent_syscall(long number, long a, long b, long c, long d, long e,
                          long f) {
  const long last_errno = 4095;
  long result;
  if (is_filter_of_all_threads(number, a, b))
    hotjit_agent_leave("the program lays a seccomp filter on all of its "
                       "threads, and hotjit's may need what that denies "
                       "(HJ3008)");
  result = enter_kernel(number, a, b, c, d, e, f);
  if (result < 0 && result >= -last_errno) {
    errno = (int)-result;
    return -1;
  }
  return result;
}
