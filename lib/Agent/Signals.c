/*
 * Keeping the signals of faults for the engine.
 *
 * A thread that stands inside a function's first bytes while a jump is written
 * over them meets an invalid instruction there, now or an hour later, and the
 * engine's handler moves it to where it should be. The compiler may crash on a
 * thread of the engine, and new code may on one of the program; that handler
 * catches it. So, while hotjit is on:
 *
 *   - The program's sigaction and its relatives for SIGSEGV, SIGBUS, SIGILL,
 *     SIGFPE, SIGABRT and SIGTRAP only change what the engine's handler does
 *     with a signal that is not its own. The program sees the action that it
 *     set. Whether system calls are started again is the program's to say too.
 *   - No signal mask that passes through here contains SIGILL: those of
 *     sigprocmask and pthread_sigmask, and the sa_mask of every handler (many
 *     programs fill it). The program is told that SIGILL is blocked if that is
 *     what it asked for: a note per thread, a note per signal. Other signals
 *     are blocked as the program likes: a fault then ends it, as it always did.
 *
 * Not seen here: system calls made directly (Go, some sanitizers), sigsetmask
 * and sigblock of BSD, masks of sigsuspend, ppoll and their like (the thread
 * sleeps under those), and what a handler does to its own mask before it
 * returns, for the *note* only. The engine looks at /proc before it arms an
 * entry and waits while a thread has SIGILL blocked.
 *
 * All of it must be async-signal-safe, and right before the constructor ran:
 * another library's constructor may install handlers. So the state is a few
 * words; the structures that are longer, the program's actions, are guarded by
 * a spin lock that is held with all signals blocked, for a copy.
 */

#include "Agent.h"
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

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

void *hotjit_agent_next(_Atomic(void *) *known, const char *name) {
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
      (int (*)(int, const struct sigaction *,
               struct sigaction *))hotjit_agent_next(&known, "sigaction");
  return function(number, action, old);
}

static int real_sigprocmask(int how, const sigset_t *set, sigset_t *old) {
  static _Atomic(void *) known;
  int (*function)(int, const sigset_t *, sigset_t *) =
      (int (*)(int, const sigset_t *, sigset_t *))hotjit_agent_next(
          &known, "sigprocmask");
  return function(how, set, old);
}

int hotjit_agent_real_sigmask(int how, const sigset_t *set, sigset_t *old) {
  static _Atomic(void *) known;
  int (*function)(int, const sigset_t *, sigset_t *) =
      (int (*)(int, const sigset_t *, sigset_t *))hotjit_agent_next(
          &known, "pthread_sigmask");
  return function(how, set, old);
}

static int is_of_fault(int number) {
  return number == SIGSEGV || number == SIGBUS || number == SIGILL ||
         number == SIGFPE || number == SIGABRT || number == SIGTRAP;
}

void hotjit_agent_quiet_signals(sigset_t *set) {
  sigfillset(set);
  for (int number = 1; number < SIGNALS; ++number)
    if (is_of_fault(number))
      sigdelset(set, number);
}

/* -- The program's actions ------------------------------------------------ */

static atomic_flag action_lock = ATOMIC_FLAG_INIT;
/* Of a signal that the engine has a handler for. */
static struct kept_action {
  atomic_int kept;
  struct sigaction program; /* what it would do without hotjit */
  struct sigaction engine;  /* what the kernel has */
} actions[SIGNALS];

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

static int is_engine(const void *address) {
  const char *a = address;
  return a >= atomic_load(&engine_begin) && a < atomic_load(&engine_end);
}

/* The lock is held. Sets the engine's handler in the kernel. */
static int set_engine_action(int number) {
  struct kept_action *of = &actions[number];
  int ignored =
      !(of->program.sa_flags & SA_SIGINFO) &&
      (of->program.sa_handler == SIG_DFL || of->program.sa_handler == SIG_IGN);
  int restart = ignored || (of->program.sa_flags & SA_RESTART);
  of->engine.sa_flags &= ~SA_RESTART;
  of->engine.sa_flags |= restart ? SA_RESTART : 0;
  return real_sigaction(number, &of->engine, NULL);
}

/* What libc gives the kernel to return from a handler with; its headers do not
   name the flag. */
#define SA_RESTORER 0x04000000
static void (*restorer)(void);

/* The engine sets the kernel's action, or asks for it. Once it is set, `old`
   is what the program had. */
static int sigaction_of_engine(int number, const struct sigaction *action,
                               struct sigaction *old) {
  struct kept_action *of = &actions[number];
  struct sigaction previous;
  sigset_t before;
  int result;
  lock_action(&before);
  result = real_sigaction(number, NULL, &previous);
  if (result == 0 && action) {
    if (!atomic_load(&of->kept)) {
      of->program = previous;
      sigdelset(&of->program.sa_mask, SIGILL);
    }
    of->engine = *action;
    previous = of->program;
    result = set_engine_action(number);
    atomic_store(&of->kept, result == 0);
    if (result == 0 && real_sigaction(number, NULL, &of->engine) == 0)
      restorer = of->engine.sa_restorer;
  }
  unlock_action(&before);
  if (result == 0 && old)
    *old = previous;
  return result;
}

void hotjit_agent_program_action(int number, int deliver,
                                 struct sigaction *out) {
  struct kept_action *of = &actions[number];
  sigset_t before;
  lock_action(&before);
  *out = of->program;
  if (deliver && (out->sa_flags & SA_RESETHAND) && out->sa_handler != SIG_IGN)
    of->program.sa_handler = SIG_DFL;
  unlock_action(&before);
}

/* sa_mask is already without SIGILL. */
static int fault_action_of_program(int number, const struct sigaction *action,
                                   struct sigaction *old) {
  struct kept_action *of = &actions[number];
  struct sigaction previous;
  sigset_t before;
  int result = 0;
  lock_action(&before);
  if (atomic_load(&of->kept)) {
    previous = of->program;
    if (action) {
      of->program = *action;
      result = set_engine_action(number);
      /* As libc reads it back from the kernel. */
      of->program.sa_flags |= SA_RESTORER;
      of->program.sa_restorer = restorer;
    }
  } else {
    result = real_sigaction(number, action, &previous);
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
  result = is_of_fault(number)
               ? fault_action_of_program(number, action ? &allowed : NULL, old)
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

void hotjit_agent_keep_signals(void) {
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
  if (is_of_fault(number) && is_engine(__builtin_return_address(0)))
    return sigaction_of_engine(number, action, old);
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

/* signal(3) and its history. Each passes on what is not about the signals of
   faults; the rest is sigaction with the flags that libc's would use. */

static handler_function set_handler(int number, handler_function handler,
                                    int flags) {
  struct sigaction action, old;
  memset(&action, 0, sizeof(action));
  action.sa_handler = handler;
  action.sa_flags = flags;
  return sigaction_of_program(number, &action, &old) == 0 ? old.sa_handler
                                                          : SIG_ERR;
}

static int concerns_us(int number) {
  return is_of_fault(number) &&
         atomic_load_explicit(&keeping, memory_order_relaxed);
}

#define NEXT_SIGNAL(name, number, handler)                                     \
  static _Atomic(void *) known;                                                \
  handler_function (*function)(int, handler_function) =                        \
      (handler_function (*)(int, handler_function))hotjit_agent_next(&known,   \
                                                                     name);    \
  return function(number, handler)

EXPORT handler_function signal(int number, handler_function handler) {
  if (concerns_us(number))
    return set_handler(number, handler, SA_RESTART);
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
    return set_handler(number, handler, (int)(SA_RESETHAND | SA_NODEFER));
  NEXT_SIGNAL("__sysv_signal", number, handler);
}

EXPORT handler_function sysv_signal(int number, handler_function handler) {
  return __sysv_signal(number, handler);
}

/* SIG_HOLD is a macro with a cast only in X/Open mode. */
#define HOLD ((handler_function)2)

static int change_block_of(int number, int how, sigset_t *before) {
  sigset_t one;
  sigemptyset(&one);
  sigaddset(&one, number);
  return sigprocmask(how, &one, before);
}

EXPORT handler_function sigset(int number, handler_function handler) {
  if (concerns_us(number)) {
    sigset_t before;
    struct sigaction old;
    handler_function was;
    if (handler == HOLD) {
      if (sigaction_of_program(number, NULL, &old) != 0)
        return SIG_ERR;
      was = old.sa_handler;
    } else {
      was = set_handler(number, handler, 0);
      if (was == SIG_ERR)
        return SIG_ERR;
    }
    change_block_of(number, handler == HOLD ? SIG_BLOCK : SIG_UNBLOCK, &before);
    return sigismember(&before, number) ? HOLD : was;
  }
  NEXT_SIGNAL("sigset", number, handler);
}

#define NEXT_INT(name, number)                                                 \
  static _Atomic(void *) known;                                                \
  int (*function)(int) = (int (*)(int))hotjit_agent_next(&known, name);        \
  return function(number)

EXPORT int sighold(int number) {
  if (concerns_us(number))
    return change_block_of(number, SIG_BLOCK, NULL);
  NEXT_INT("sighold", number);
}

EXPORT int sigrelse(int number) {
  if (concerns_us(number))
    return change_block_of(number, SIG_UNBLOCK, NULL);
  NEXT_INT("sigrelse", number);
}

EXPORT int sigignore(int number) {
  if (concerns_us(number))
    return set_handler(number, SIG_IGN, 0) == SIG_ERR ? -1 : 0;
  NEXT_INT("sigignore", number);
}
