/*
 * A process ends when the last of its threads does: libc calls exit(0) if that
 * one returned or called pthread_exit(3), and the kernel ends what has no
 * thread left. Threads of hotjit are threads to both of them. A program whose
 * main function ends by pthread_exit(3), or whose only thread is ended by a
 * seccomp(2) filter, would stay for ever, with nothing but hotjit in it.
 *
 * So the agent's thread looks now and then whether it is alone with the
 * engine's, and then does what would have been done. The thread that main ran
 * on stays in the kernel's list as a zombie with its exit status, until the
 * process ends: while it is none, there is no need to look further. And while
 * it lives its id stands where libc has the kernel clear it at the end (for
 * pthread_join(3); set_tid_address(2)), so most looks are a load.
 */

#include "Agent.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

/* The text of a file of a thread, cut off; nonzero: there is none. */
static int read_task_file(int thread, const char *name, char *text,
                          size_t size) {
  char path[64];
  ssize_t length;
  int file;
  snprintf(path, sizeof(path), "/proc/self/task/%d/%s", thread, name);
  file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0)
    return 1;
  length = read(file, text, size - 1);
  close(file);
  text[length > 0 ? length : 0] = '\0';
  return length <= 0;
}

/* Null: not known. */
static const int *main_thread_id;

void hotjit_agent_know_main_thread(void) {
  int *id = NULL;
  if (gettid() == getpid() && !prctl(PR_GET_TID_ADDRESS, &id) && id &&
      *id == getpid())
    main_thread_id = id;
}

/* proc_pid_stat(5): the state follows the name in parentheses, which may hold
   anything; the last field is the status as waitpid(2) has it. */
static int main_thread_has_ended(int *status) {
  char text[1024];
  const char *state, *last;
  if (main_thread_id && __atomic_load_n(main_thread_id, __ATOMIC_RELAXED))
    return 0;
  if (read_task_file(getpid(), "stat", text, sizeof(text)))
    return 0;
  state = strrchr(text, ')');
  last = strrchr(text, ' ');
  if (!state || strncmp(state, ") Z", 3) != 0 || last < state)
    return 0;
  *status = atoi(last + 1);
  return 1;
}

/* The engine's threads have names that begin so. A thread that is called
   "hotjit" was begun by code of the program that ran on the agent's. */
static int is_of_engine(int thread) {
  static const char begin[] = "hotjit-";
  char name[32];
  if (thread == gettid())
    return 1;
  /* One that has ended may have begun another behind our back, and one that
     cannot be looked at (no descriptor is left) may be the program's. */
  if (read_task_file(thread, "comm", name, sizeof(name)))
    return 0;
  return !strncmp(name, begin, sizeof(begin) - 1);
}

static int is_alone(void) {
  struct dirent *entry;
  int alone = 1;
  DIR *tasks = opendir("/proc/self/task");
  if (!tasks)
    return 0;
  while (alone && (entry = readdir(tasks))) {
    int thread = atoi(entry->d_name);
    alone = thread == 0 || thread == getpid() || is_of_engine(thread);
  }
  closedir(tasks);
  return alone;
}

/* What exit(3) calls is the program's, and this thread is to be one of it. */
static void become_of_program(void) {
  sigset_t none;
  prctl(PR_SET_NAME, program_invocation_short_name);
  sigemptyset(&none);
  hotjit_agent_real_sigmask(SIG_SETMASK, &none, NULL);
}

void hotjit_agent_end_with_program(void) {
  int status = 0;
  if (!main_thread_has_ended(&status) || !is_alone())
    return;
  become_of_program();
  if (status == 0)
    exit(0);
  if (status & 0x7f) {
    signal(status & 0x7f, SIG_DFL);
    kill(getpid(), status & 0x7f);
  }
  _exit(status >> 8);
}
