// Being the parent nobody notices.
//
// The program stays in our process group, so the terminal's signals (Ctrl-C,
// Ctrl-Z, hang-up) reach it without us; those the kernel sends to both, and
// they are told apart from signals that somebody sent to *us* by si_code. Only
// the latter are passed on.
//
// Job control: when the program stops we stop by the same signal, so that the
// shell sees a stopped job. When we are continued (the shell continues the
// group; somebody may continue only us) the program is continued if it still
// stands.
//
// Signals are blocked and read from a signalfd: nothing runs in a handler.

#include "ChildProcess.h"
#include "Support/Error.h"
#include "llvm/Support/Errno.h"
#include "llvm/Support/MemoryBuffer.h"
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

using namespace hotjit;
using namespace llvm;

static Error failure(int Number, const std::string &Path) {
  return createStringError(std::error_code(Number, std::generic_category()),
                           "%s: %s", Path.c_str(),
                           sys::StrError(Number).c_str());
}

static std::vector<char *> pointersTo(ArrayRef<std::string> Strings) {
  std::vector<char *> Result;
  for (const std::string &S : Strings)
    Result.push_back(const_cast<char *>(S.c_str()));
  Result.push_back(nullptr);
  return Result;
}

/// All but those that a fault of our own raises and that cannot be blocked.
static sigset_t passedOn() {
  sigset_t Set;
  ::sigfillset(&Set);
  for (int Signal : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS})
    ::sigdelset(&Set, Signal);
  return Set;
}

Expected<ChildProcess> ChildProcess::start(const std::string &Path,
                                           ArrayRef<std::string> Words,
                                           ArrayRef<std::string> Environment) {
  std::vector<char *> Argv = pointersTo(Words), Envp = pointersTo(Environment);
  int Pipe[2]; // tells errno of execve, or by its end that it worked
  if (::pipe2(Pipe, O_CLOEXEC) != 0)
    return failure(errno, "pipe");
  wire::Descriptor Read(Pipe[0]), Write(Pipe[1]);

  sigset_t Ours = passedOn(), Before;
  ::sigprocmask(SIG_BLOCK, &Ours, &Before);
  // With SIGCHLD ignored children would vanish without a status; a child's
  // handler for it starts from what we were given.
  struct sigaction Default = {}, ChildBefore;
  Default.sa_handler = SIG_DFL;
  ::sigaction(SIGCHLD, &Default, &ChildBefore);

  ChildProcess Child;
  Child.Pid = ::fork();
  if (Child.Pid == 0) {
    ::sigaction(SIGCHLD, &ChildBefore, nullptr);
    ::sigprocmask(SIG_SETMASK, &Before, nullptr);
    ::execve(Path.c_str(), Argv.data(), Envp.data());
    int Number = errno;
    [[maybe_unused]] ssize_t N = ::write(Pipe[1], &Number, sizeof(Number));
    ::_exit(127);
  }
  if (Child.Pid < 0)
    return failure(errno, "fork");
  Write = wire::Descriptor();
  int Number = 0;
  ssize_t Size;
  while ((Size = ::read(Read.get(), &Number, sizeof(Number))) < 0 &&
         errno == EINTR)
    ;
  if (Size == sizeof(Number)) {
    ::waitpid(Child.Pid, nullptr, 0);
    return failure(Number, Path);
  }
  Child.Signals =
      wire::Descriptor(::signalfd(-1, &Ours, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!Child.Signals)
    return failure(errno, "signalfd");
  return Child;
}

std::optional<int> ChildProcess::handleSignals() {
  signalfd_siginfo S;
  bool Look = false;
  while (::read(Signals.get(), &S, sizeof(S)) == sizeof(S)) {
    // One SIGCHLD can stand for several children.
    if (S.ssi_signo == SIGCHLD)
      Look = true;
    else
      pass(S);
  }
  return Look ? lookAtChild() : std::nullopt;
}

void ChildProcess::pass(const signalfd_siginfo &S) {
  bool ByKernel = S.ssi_code == SI_KERNEL; // the terminal: to the whole group
  bool Own = static_cast<pid_t>(S.ssi_pid) == ::getpid(); // SIGPIPE
  // A terminal that goes away tells the leader of its session alone. The rest
  // of the group would hear of it when the leader ends; but we end after the
  // program.
  bool IsHangUp = S.ssi_signo == SIGHUP && ::getsid(0) == ::getpid();
  if ((ByKernel && !IsHangUp) || Own)
    return;
  if (S.ssi_code == SI_QUEUE) {
    sigval Value;
    Value.sival_ptr = reinterpret_cast<void *>(S.ssi_ptr);
    ::sigqueue(Pid, S.ssi_signo, Value);
    return;
  }
  ::kill(Pid, S.ssi_signo);
}

std::optional<int> ChildProcess::lookAtChild() {
  int Status;
  // As the first process of a container this one inherits what the program's
  // children leave behind, and nobody else waits for that.
  while (pid_t Child = ::waitpid(-1, &Status, WNOHANG | WUNTRACED)) {
    if (Child < 0)
      break;
    if (Child != Pid)
      continue;
    if (!WIFSTOPPED(Status))
      return Status;
    stopLike(WSTOPSIG(Status));
  }
  return std::nullopt;
}

/// The state letter is behind the name in parentheses, which may hold anything.
static bool isStopped(pid_t Pid) {
  auto Text = MemoryBuffer::getFileAsStream(fmt::format("/proc/{}/stat", Pid));
  return Text &&
         (*Text)->getBuffer().rsplit(')').second.trim().starts_with("T");
}

void ChildProcess::stopLike(int Signal) {
  if (Signal != SIGTSTP && Signal != SIGTTIN && Signal != SIGTTOU)
    Signal = SIGSTOP;
  struct sigaction Default = {}, Before;
  Default.sa_handler = SIG_DFL;
  if (Signal != SIGSTOP) {
    sigset_t One;
    ::sigemptyset(&One);
    ::sigaddset(&One, Signal);
    ::sigaction(Signal, &Default, &Before);
    ::raise(Signal);
    ::sigprocmask(SIG_UNBLOCK, &One, nullptr); // here we stop
    ::sigprocmask(SIG_BLOCK, &One, nullptr);
    ::sigaction(Signal, &Before, nullptr);
  } else {
    ::raise(SIGSTOP);
  }
  // Continued: usually the whole group was, and the child with it.
  if (isStopped(Pid))
    ::kill(Pid, SIGCONT);
}

int ChildProcess::endLike(int Status) {
  if (WIFEXITED(Status))
    return WEXITSTATUS(Status);
  int Signal = WTERMSIG(Status);
  rlimit NoCore = {0, 0};
  ::setrlimit(RLIMIT_CORE, &NoCore);
  struct sigaction Default = {};
  Default.sa_handler = SIG_DFL;
  ::sigaction(Signal, &Default, nullptr);
  ::raise(Signal);
  sigset_t One;
  ::sigemptyset(&One);
  ::sigaddset(&One, Signal);
  ::sigprocmask(SIG_UNBLOCK, &One, nullptr);
  return 128 + Signal; // SIGCHLD and its like do not end a process
}
