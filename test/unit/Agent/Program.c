/*
 * The program of the agent's tests. Its first argument says what to do; it
 * knows nothing of hotjit.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static void print_file(const char *path) {
  char buffer[65536];
  int file = open(path, O_RDONLY);
  ssize_t size;
  while ((size = read(file, buffer, sizeof(buffer))) > 0)
    if (write(1, buffer, size) < 0)
      return;
  close(file);
}

static int print_environment(char **envp) {
  for (; *envp; ++envp)
    if (!strncmp(*envp, "HOTJIT", 6) || !strncmp(*envp, "LD_PRELOAD", 10))
      puts(*envp);
  return 0;
}

static int wait_line(void) { return getchar() == EOF; }

/* -- SIGILL -------------------------------------------------------------- */

static void on_signal(int number) {
  const char text[] = "program's handler\n";
  (void)number;
  if (write(1, text, sizeof(text) - 1) < 0)
    return;
}

static void on_fault(int number, siginfo_t *info, void *context) {
  on_signal(number);
  (void)info;
  (void)context;
  _exit(7);
}

static int reports_blocked(void) {
  sigset_t mask;
  pthread_sigmask(SIG_SETMASK, NULL, &mask);
  return sigismember(&mask, SIGILL);
}

static int kernel_blocked(void) {
  char line[256];
  unsigned long long mask = 0;
  FILE *status = fopen("/proc/thread-self/status", "r");
  while (fgets(line, sizeof(line), status))
    if (sscanf(line, "SigBlk: %llx", &mask) == 1)
      break;
  fclose(status);
  return (mask >> (SIGILL - 1)) & 1;
}

static void check(int condition, const char *what) {
  if (!condition) {
    printf("FAILED: %s\n", what);
    exit(1);
  }
}

static void check_masks(void) {
  sigset_t all, old;
  struct sigaction action;
  sigfillset(&all);

  check(sigprocmask(SIG_BLOCK, &all, &old) == 0, "block");
  check(!sigismember(&old, SIGILL), "not blocked before");
  check(reports_blocked(), "reported as blocked");
  check(!kernel_blocked(), "not blocked in the kernel");
  sigemptyset(&all);
  check(sigprocmask(SIG_SETMASK, &all, &old) == 0, "setmask");
  check(sigismember(&old, SIGILL), "was reported as blocked");
  check(sigismember(&old, SIGUSR1), "so was another");
  check(!reports_blocked(), "no longer");
  sigaddset(&all, SIGILL);
  check(pthread_sigmask(SIG_BLOCK, &all, NULL) == 0, "block one");
  check(reports_blocked() && !kernel_blocked(), "noted only");
  check(pthread_sigmask(SIG_UNBLOCK, &all, NULL) == 0, "unblock one");
  check(!reports_blocked(), "note gone");
  check(sigprocmask(99, &all, NULL) == -1 && errno == EINVAL, "errors pass");

  memset(&action, 0, sizeof(action));
  action.sa_handler = on_signal;
  sigfillset(&action.sa_mask);
  check(sigaction(SIGUSR1, &action, NULL) == 0, "sa_mask");
  check(sigaction(SIGUSR1, NULL, &action) == 0, "read back");
  check(sigismember(&action.sa_mask, SIGILL), "sa_mask as it was set");
  action.sa_handler = SIG_DFL;
  check(sigaction(SIGUSR1, &action, NULL) == 0, "reset");
}

static void check_handlers(void) {
  struct sigaction action, old;
  memset(&action, 0, sizeof(action));
  check(sigaction(SIGILL, NULL, &old) == 0, "ask");
  check(old.sa_handler == SIG_DFL, "the program's is the default");
  action.sa_handler = on_signal;
  check(sigaction(SIGILL, &action, &old) == 0, "set");
  check(sigaction(SIGILL, NULL, &old) == 0, "ask again");
  check(old.sa_handler == on_signal, "the program sees its own");
  raise(SIGILL);
  check(signal(SIGILL, SIG_IGN) == on_signal, "signal gives the old one");
  raise(SIGILL);
  check(signal(SIGILL, SIG_DFL) == SIG_IGN, "and the one before");
}

static int illegal(void) {
  struct sigaction action;
  check_masks();
  check_handlers();
  memset(&action, 0, sizeof(action));
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO;
  sigfillset(&action.sa_mask);
  sigaction(SIGILL, &action, NULL);
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, NULL);
  puts("checked");
  fflush(stdout);
  __asm__ volatile("ud2");
  return 1;
}

/* ------------------------------------------------------------------------ */

static volatile sig_atomic_t got;
static void note(int number) { got = number; }

/* Prints the name of the first signal that comes, and the value sent with it.
 */
static int wait_signal(void) {
  sigset_t all, none;
  struct sigaction action;
  memset(&action, 0, sizeof(action));
  action.sa_handler = note;
  sigfillset(&all);
  sigemptyset(&none);
  sigprocmask(SIG_BLOCK, &all, NULL);
  for (int i = 1; i < 32; ++i)
    if (i != SIGILL)
      sigaction(i, &action, NULL);
  puts("waiting");
  fflush(stdout);
  sigsuspend(&none);
  printf("got SIG%s\n", sigabbrev_np(got));
  return 5;
}

/* A child's threads, and whether SIGILL is still kept there. */
static int fork_and_look(void) {
  int status;
  pid_t child = fork();
  if (child == 0) {
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    printf("child: SIGILL %s\n", kernel_blocked() ? "blocked" : "open");
    fflush(stdout);
    print_file("/proc/self/status");
    _exit(0);
  }
  waitpid(child, &status, 0);
  return WEXITSTATUS(status);
}

int main(int count, char **words, char **envp) {
  const char *what = count > 1 ? words[1] : "";
  if (!strcmp(what, "maps"))
    return print_file("/proc/self/maps"), 0;
  if (!strcmp(what, "threads")) {
    print_file("/proc/self/status");
    return 0;
  }
  if (!strcmp(what, "environment"))
    return print_environment(envp), puts("--"), print_environment(environ);
  if (!strcmp(what, "exec")) {
    execl(words[0], words[0], "environment", (char *)0);
    return 1;
  }
  if (!strcmp(what, "wait"))
    return wait_line(), 0;
  if (!strcmp(what, "illegal"))
    return wait_line(), illegal();
  if (!strcmp(what, "die-illegal")) {
    wait_line();
    __asm__ volatile("ud2");
  }
  if (!strcmp(what, "signal"))
    return wait_signal();
  if (!strcmp(what, "fork"))
    return wait_line(), fork_and_look();
  if (!strcmp(what, "exit"))
    return atoi(words[2]);
  if (!strcmp(what, "kill"))
    return raise(atoi(words[2])), 1;
  if (!strcmp(what, "stop")) {
    raise(atoi(words[2]));
    puts("continued");
    return 0;
  }
  return 99;
}
