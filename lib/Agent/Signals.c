/*
 * Keeping SIGILL for the engine.
 *
 * A thread that stands inside a function's first bytes while a jump is written
 * over them meets an invalid instruction there, now or an hour later, and the
 * engine's handler moves it to where it should be. If the program replaced that
 * handler, or if the thread had SIGILL blocked, the kernel would end the
 * program. So, while hotjit is on:
 *
 *   - The program's sigaction(SIGILL) and its relatives only change what the
 *     engine's handler passes a SIGILL on to that is not its own. The program
 *     sees the handler that it set.
 *   - No signal mask that passes through here contains SIGILL: those of
 *     sigprocmask and pthread_sigmask, and the sa_mask of every handler (many
 *     programs fill it). The program is told that SIGILL is blocked if that is
 *     what it asked for: a note per thread, a note per signal.
 *
 * Not seen here: system calls made directly (Go, some sanitizers), sigsetmask
 * and sigblock of BSD, masks of sigsuspend, ppoll and their like (the thread
 * sleeps under those), and what a handler does to its own mask before it
 * returns, for the *note* only. The engine looks at /proc before it arms an
 * entry and waits while a thread has SIGILL blocked.
 *
 * All of it must be async-signal-safe, and right before the constructor ran:
 * another library's constructor may install handlers. So the state is a few
 * words; the one structure that is longer, the program's SIGILL action, is
 * guarded by a spin lock that is held with all signals blocked, for a copy.
 */

#include "Agent.h"
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
#define SIGNALS 65

typedef void (*handler_function)(int);

static atomic_int keeping;
/* The program blocked SIGILL on this thread. */
static _Thread_local int noted_blocked;
/* The program's action for signal i has SIGILL in its sa_mask. */
static atomic_uchar noted_in_mask[SIGNALS];

static _Atomic(const char *) engine_begin;
static _Atomic(const char *) engine_end;

/* -- libc's own functions ------------------------------------------------ */

/* The next definition after ours: libc's, or that of another library that
   stands in front of it. */
static void *next(_Atomic(void *) *known, const char *name) {
  void *function = atomic_load_explicit(known, memory_order_relaxed);
  if (!function) {
    int saved = errno;
    function = dlsym(RTLD_NEXT, name);
    atomic_store_explicit(known, function, memory_order_relaxed);
    errno = saved;
  }
  return function;
}

static int real_sigaction(int number, const struct sigaction *action,
                          struct sigaction *old) {
  static _Atomic(void *) known;
  int (*function)(int, const struct sigaction *, struct sigaction *) =
      (int (*)(int, const struct sigaction *, struct sigaction *))next(
          &known, "sigaction");
  return function(number, action, old);
}

static int real_sigprocmask(int how, const sigset_t *set, sigset_t *old) {
  static _Atomic(void *) known;
  int (*function)(int, const sigset_t *, sigset_t *) =
      (int (*)(int, const sigset_t *, sigset_t *))next(&known, "sigprocmask");
  return function(how, set, old);
}

int hotjit_agent_real_sigmask(int how, const sigset_t *set, sigset_t *old) {
  static _Atomic(void *) known;
  int (*function)(int, const sigset_t *, sigset_t *) =
      (int (*)(int, const sigset_t *, sigset_t *))next(&known,
                                                       "pthread_sigmask");
  return function(how, set, old);
}

void hotjit_agent_quiet_signals(sigset_t *set) {
  static const int of_faults[] = {SIGSEGV, SIGBUS,  SIGILL,
                                  SIGFPE,  SIGABRT, SIGTRAP};
  sigfillset(set);
  for (size_t i = 0; i < sizeof(of_faults) / sizeof(of_faults[0]); ++i)
    sigdelset(set, of_faults[i]);
}

/* -- The program's action for SIGILL ------------------------------------- */

static atomic_flag action_lock = ATOMIC_FLAG_INIT;
static struct sigaction program_action;
/* The kernel has the engine's handler; program_action is what is chained. */
static int engine_owns;

static void lock_action(sigset_t *before) {
  sigset_t all;
  sigfillset(&all);
  hotjit_agent_real_sigmask(SIG_SETMASK, &all, before);
  while (atomic_flag_test_and_set_explicit(&action_lock, memory_order_acquire))
    ;
}

static void unlock_action(const sigset_t *before) {
  atomic_flag_clear_explicit(&action_lock, memory_order_release);
  hotjit_agent_real_sigmask(SIG_SETMASK, before, NULL);
}

static sigset_t before_fork;
void hotjit_agent_signals_fork_prepare(void) {
  sigset_t before;
  lock_action(&before);
  before_fork = before; /* guarded by the lock that we hold */
}
void hotjit_agent_signals_fork_done(void) {
  sigset_t before = before_fork;
  unlock_action(&before);
}

/* What SIGILL would do without hotjit, if the engine's handler had not caught
   it. Never returns to the faulting instruction by mistake: with the default
   action in place the instruction faults again and ends the program. */
static void end_by_default(int number, const siginfo_t *info) {
  struct sigaction action;
  memset(&action, 0, sizeof(action));
  action.sa_handler = SIG_DFL;
  real_sigaction(number, &action, NULL);
  if (info->si_code <= 0) /* it was sent: once more, from the same sender */
    syscall(SYS_rt_tgsigqueueinfo, getpid(), syscall(SYS_gettid), number, info);
}

/* What the engine finds as the action before its own. */
static void act_as_program_wants(int number, siginfo_t *info, void *context) {
  struct sigaction action;
  sigset_t before, inside;
  int saved = errno;
  lock_action(&before);
  action = program_action;
  if ((action.sa_flags & SA_RESETHAND) && action.sa_handler != SIG_IGN)
    program_action.sa_handler = SIG_DFL;
  unlock_action(&before);

  if (!(action.sa_flags & SA_SIGINFO)) {
    if (action.sa_handler == SIG_IGN && info->si_code <= 0)
      return;
    if (action.sa_handler == SIG_DFL || action.sa_handler == SIG_IGN) {
      end_by_default(number, info);
      return;
    }
  }
  hotjit_agent_real_sigmask(SIG_BLOCK, &action.sa_mask, &before);
  /* The kernel blocked SIGILL for the engine's handler; the program's handler
     may call functions that are armed. */
  sigemptyset(&inside);
  sigaddset(&inside, SIGILL);
  hotjit_agent_real_sigmask(SIG_UNBLOCK, &inside, NULL);
  if (action.sa_flags & SA_SIGINFO)
    action.sa_sigaction(number, info, context);
  else
    action.sa_handler(number);
  hotjit_agent_real_sigmask(SIG_SETMASK, &before, NULL);
  errno = saved;
}

static int is_engine(const void *address) {
  const char *a = address;
  return a >= atomic_load(&engine_begin) && a < atomic_load(&engine_end);
}

static int has_engine_handler(const struct sigaction *action) {
  return (action->sa_flags & SA_SIGINFO) &&
         is_engine((const void *)action->sa_sigaction);
}

/* The engine sets the kernel's action, or asks for it. What it finds there of
   the program's, now or later, is act_as_program_wants. */
static int sigaction_of_engine(const struct sigaction *action,
                               struct sigaction *old) {
  struct sigaction previous;
  sigset_t before;
  int result;
  lock_action(&before);
  result = real_sigaction(SIGILL, action, &previous);
  if (result == 0 && !has_engine_handler(&previous)) {
    int restart = previous.sa_flags & SA_RESTART;
    if (action && !engine_owns) {
      program_action = previous;
      sigdelset(&program_action.sa_mask, SIGILL);
      engine_owns = 1;
    }
    memset(&previous, 0, sizeof(previous));
    previous.sa_sigaction = act_as_program_wants;
    previous.sa_flags = SA_SIGINFO | SA_ONSTACK | restart;
  }
  unlock_action(&before);
  if (result == 0 && old)
    *old = previous;
  return result;
}

/* The program's action for SIGILL; sa_mask is already without SIGILL. */
static int sigill_of_program(const struct sigaction *action,
                             struct sigaction *old) {
  struct sigaction previous;
  sigset_t before;
  int result = 0;
  lock_action(&before);
  if (engine_owns) {
    previous = program_action;
    if (action)
      program_action = *action;
  } else {
    result = real_sigaction(SIGILL, action, &previous);
  }
  unlock_action(&before);
  if (result == 0 && old)
    *old = previous;
  return result;
}

static int sigaction_of_program(int number, const struct sigaction *action,
                                struct sigaction *old) {
  struct sigaction allowed;
  int had_note, result;
  if (number < 1 || number >= SIGNALS)
    return real_sigaction(number, action, old); /* EINVAL */
  if (action) {
    allowed = *action;
    sigdelset(&allowed.sa_mask, SIGILL);
  }
  had_note = atomic_load(&noted_in_mask[number]);
  result = number == SIGILL
               ? sigill_of_program(action ? &allowed : NULL, old)
               : real_sigaction(number, action ? &allowed : NULL, old);
  if (result != 0)
    return result;
  if (old && had_note)
    sigaddset(&old->sa_mask, SIGILL);
  if (action)
    atomic_store(&noted_in_mask[number],
                 (unsigned char)sigismember(&action->sa_mask, SIGILL));
  return 0;
}

/* -- Turning it on ------------------------------------------------------- */

void hotjit_agent_set_engine_text(const char *begin, const char *end) {
  atomic_store(&engine_begin, begin);
  atomic_store(&engine_end, end);
}

void hotjit_agent_keep_sigill(void) {
  sigset_t sigill, before;
  if (atomic_exchange(&keeping, 1))
    return;
  /* What was set before hotjit was on: inherited, or by a program that calls
     hotjit_start() itself. */
  sigemptyset(&sigill);
  sigaddset(&sigill, SIGILL);
  hotjit_agent_real_sigmask(SIG_UNBLOCK, &sigill, &before);
  noted_blocked = sigismember(&before, SIGILL);
  for (int number = 1; number < SIGNALS; ++number) {
    struct sigaction action;
    if (real_sigaction(number, NULL, &action) == 0 &&
        sigismember(&action.sa_mask, SIGILL) == 1)
      sigaction_of_program(number, &action, NULL);
  }
}

/* -- The interposed functions -------------------------------------------- */

EXPORT int sigaction(int number, const struct sigaction *action,
                     struct sigaction *old) {
  if (!atomic_load_explicit(&keeping, memory_order_relaxed))
    return real_sigaction(number, action, old);
  if (number == SIGILL && is_engine(__builtin_return_address(0)))
    return sigaction_of_engine(action, old);
  return sigaction_of_program(number, action, old);
}

static int change_mask(int (*real)(int, const sigset_t *, sigset_t *), int how,
                       const sigset_t *set, sigset_t *old) {
  sigset_t allowed;
  int noted = noted_blocked;
  int result;
  if (!set) {
    result = real(how, NULL, old);
  } else {
    int named = sigismember(set, SIGILL) == 1;
    allowed = *set;
    if (how != SIG_UNBLOCK)
      sigdelset(&allowed, SIGILL);
    result = real(how, &allowed, old);
    if (result != 0)
      return result;
    if (how == SIG_SETMASK)
      noted_blocked = named;
    else if (named)
      noted_blocked = how == SIG_BLOCK;
  }
  if (result == 0 && old && noted)
    sigaddset(old, SIGILL);
  return result;
}

EXPORT int sigprocmask(int how, const sigset_t *set, sigset_t *old) {
  if (!atomic_load_explicit(&keeping, memory_order_relaxed))
    return real_sigprocmask(how, set, old);
  return change_mask(real_sigprocmask, how, set, old);
}

EXPORT int pthread_sigmask(int how, const sigset_t *set, sigset_t *old) {
  if (!atomic_load_explicit(&keeping, memory_order_relaxed))
    return hotjit_agent_real_sigmask(how, set, old);
  return change_mask(hotjit_agent_real_sigmask, how, set, old);
}

/* signal(3) and its history. Each passes on what is not about SIGILL; the rest
   is sigaction with the flags that libc's would use. */

static handler_function set_handler(handler_function handler, int flags) {
  struct sigaction action, old;
  memset(&action, 0, sizeof(action));
  action.sa_handler = handler;
  action.sa_flags = flags;
  return sigaction_of_program(SIGILL, &action, &old) == 0 ? old.sa_handler
                                                          : SIG_ERR;
}

static int concerns_us(int number) {
  return number == SIGILL &&
         atomic_load_explicit(&keeping, memory_order_relaxed);
}

#define NEXT_SIGNAL(name, number, handler)                                     \
  static _Atomic(void *) known;                                                \
  handler_function (*function)(int, handler_function) =                        \
      (handler_function (*)(int, handler_function))next(&known, name);         \
  return function(number, handler)

EXPORT handler_function signal(int number, handler_function handler) {
  if (concerns_us(number))
    return set_handler(handler, SA_RESTART);
  NEXT_SIGNAL("signal", number, handler);
}

EXPORT handler_function bsd_signal(int number, handler_function handler) {
  return signal(number, handler);
}

EXPORT handler_function ssignal(int number, handler_function handler) {
  return signal(number, handler);
}

EXPORT handler_function __sysv_signal(int number, handler_function handler) {
  if (concerns_us(number))
    return set_handler(handler, (int)(SA_RESETHAND | SA_NODEFER));
  NEXT_SIGNAL("__sysv_signal", number, handler);
}

EXPORT handler_function sysv_signal(int number, handler_function handler) {
  return __sysv_signal(number, handler);
}

/* SIG_HOLD is a macro with a cast only in X/Open mode. */
#define HOLD ((handler_function)2)

EXPORT handler_function sigset(int number, handler_function handler) {
  if (concerns_us(number)) {
    int was_blocked = noted_blocked;
    struct sigaction old;
    if (handler == HOLD) {
      if (sigaction_of_program(SIGILL, NULL, &old) != 0)
        return SIG_ERR;
      noted_blocked = 1;
      return was_blocked ? HOLD : old.sa_handler;
    }
    handler_function before = set_handler(handler, 0);
    if (before != SIG_ERR)
      noted_blocked = 0;
    return was_blocked ? HOLD : before;
  }
  NEXT_SIGNAL("sigset", number, handler);
}

#define NEXT_INT(name, number)                                                 \
  static _Atomic(void *) known;                                                \
  int (*function)(int) = (int (*)(int))next(&known, name);                     \
  return function(number)

EXPORT int sighold(int number) {
  if (concerns_us(number)) {
    noted_blocked = 1;
    return 0;
  }
  NEXT_INT("sighold", number);
}

EXPORT int sigrelse(int number) {
  if (concerns_us(number)) {
    noted_blocked = 0;
    return 0;
  }
  NEXT_INT("sigrelse", number);
}

EXPORT int sigignore(int number) {
  if (concerns_us(number))
    return set_handler(SIG_IGN, 0) == SIG_ERR ? -1 : 0;
  NEXT_INT("sigignore", number);
}
