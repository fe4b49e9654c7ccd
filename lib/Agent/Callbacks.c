/*
 * The callbacks of hotjit_on_reload().
 *
 * They are the program's code, so everything may happen in them: they call
 * hotjit_on_reload, they exit, they never return, they crash and the engine
 * jumps out of them. So no lock is held while one runs, an entry is never freed
 * or reused for another pair (there are as many as the program registers), and
 * the engine, which calls them, says when each ends, however it ends.
 *
 * A program that exits destroys what its callbacks use. The first registration
 * asks libc to be told: from then on no callback begins, and exit waits for
 * those that run, for a moment.
 */

#include "Agent.h"
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

struct entry {
  struct entry *next;
  hotjit_reload_callback callback;
  void *user;
  int removed;
  int running; /* on how many threads */
};

/* Guards all of these. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t ended = PTHREAD_COND_INITIALIZER;
static struct entry *entries;
static int exiting;
static int told_at_exit;

static _Atomic(int) registered;
/* The one that this thread is inside of. */
static _Thread_local struct entry *inside;

/* Who hangs in a callback for longer is not waited for. */
#define EXIT_PATIENCE_SECONDS 1
#define REMOVE_PATIENCE_SECONDS 5

/* The lock is held. Waits until none with this user (all: null pointer) runs
   on another thread; nonzero: the time is over. */
static int wait_until_idle(void *const *user, int seconds) {
  struct timespec until;
  clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_sec += seconds;
  for (struct entry *entry = entries; entry;) {
    int own = inside == entry;
    if ((user && entry->user != *user) || entry->running <= own) {
      entry = entry->next;
    } else if (pthread_cond_clockwait(&ended, &lock, CLOCK_MONOTONIC, &until)) {
      return ETIMEDOUT;
    }
  }
  return 0;
}

static void stop_at_exit(void) {
  pthread_mutex_lock(&lock);
  exiting = 1;
  wait_until_idle(NULL, EXIT_PATIENCE_SECONDS);
  pthread_mutex_unlock(&lock);
}

/* The lock is held. */
static struct entry *find(hotjit_reload_callback callback, void *user) {
  struct entry *entry = entries;
  while (entry && (entry->callback != callback || entry->user != user))
    entry = entry->next;
  return entry;
}

/* The lock is held. */
static struct entry *append(hotjit_reload_callback callback, void *user) {
  struct entry **end = &entries;
  struct entry *entry = calloc(1, sizeof(*entry));
  if (!entry)
    return NULL;
  entry->callback = callback;
  entry->user = user;
  entry->removed = 1;
  while (*end)
    end = &(*end)->next;
  return *end = entry;
}

int hotjit_agent_add_callback(hotjit_reload_callback callback, void *user) {
  struct entry *entry;
  int ask;
  pthread_mutex_lock(&lock);
  entry = find(callback, user);
  if (!entry)
    entry = append(callback, user);
  if (entry && entry->removed) {
    entry->removed = 0;
    atomic_fetch_add(&registered, 1);
  }
  ask = entry && !told_at_exit;
  told_at_exit |= ask;
  pthread_mutex_unlock(&lock);
  /* libc holds a lock of its own there. */
  if (ask)
    atexit(stop_at_exit);
  return entry ? 0 : ENOMEM;
}

int hotjit_agent_remove_callbacks(void *user) {
  int failed;
  pthread_mutex_lock(&lock);
  for (struct entry *entry = entries; entry; entry = entry->next)
    if (entry->user == user && !entry->removed) {
      entry->removed = 1;
      atomic_fetch_sub(&registered, 1);
    }
  failed = wait_until_idle(&user, REMOVE_PATIENCE_SECONDS);
  pthread_mutex_unlock(&lock);
  return failed;
}

int hotjit_agent_in_callback(void) { return inside != NULL; }

int hotjit_agent_has_callbacks(void) {
  return atomic_load_explicit(&registered, memory_order_acquire) != 0;
}

int hotjit_agent_begin_callback(unsigned index,
                                hotjit_reload_callback *callback, void **user) {
  struct entry *entry;
  pthread_mutex_lock(&lock);
  for (entry = entries; entry; entry = entry->next)
    if (!entry->removed && index-- == 0)
      break;
  if (exiting)
    entry = NULL;
  if (entry) {
    *callback = entry->callback;
    *user = entry->user;
    ++entry->running;
    inside = entry;
  }
  pthread_mutex_unlock(&lock);
  return entry != NULL;
}

void hotjit_agent_end_callback(void) {
  pthread_mutex_lock(&lock);
  --inside->running;
  inside = NULL;
  pthread_cond_broadcast(&ended);
  pthread_mutex_unlock(&lock);
}

/* -- fork ---------------------------------------------------------------- */

/* Whatever thread holds the lock or runs a callback is not in the child; the
   one that forks may be inside of one. */
void hotjit_agent_callbacks_fork_prepare(void) { pthread_mutex_lock(&lock); }

void hotjit_agent_callbacks_fork_parent(void) { pthread_mutex_unlock(&lock); }

void hotjit_agent_callbacks_fork_child(void) {
  for (struct entry *entry = entries; entry; entry = entry->next)
    entry->running = entry == inside;
  pthread_mutex_unlock(&lock);
}
