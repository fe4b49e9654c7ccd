#ifndef HOTJIT_TEST_SUBPROCESS_H
#define HOTJIT_TEST_SUBPROCESS_H

#include "gtest/gtest.h"

#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace hotjit::test {

/// A process with its stdin, stdout and stderr in the test's hands.
class Subprocess {
public:
  using Strings = std::vector<std::string>;

  /// Environment is all that it gets.
  Subprocess(Strings Words, Strings Environment, bool OwnGroup = false) {
    int In[2], Out[2], Err[2];
    if (::pipe2(In, O_CLOEXEC) || ::pipe2(Out, O_CLOEXEC) ||
        ::pipe2(Err, O_CLOEXEC))
      ADD_FAILURE() << "pipe: " << std::strerror(errno);
    std::vector<char *> Argv = pointers(Words), Envp = pointers(Environment);
    Pid = ::fork();
    if (Pid == 0) {
      if (OwnGroup)
        ::setpgid(0, 0);
      ::dup2(In[0], 0);
      ::dup2(Out[1], 1);
      ::dup2(Err[1], 2);
      ::execve(Argv[0], Argv.data(), Envp.data());
      ::_exit(120);
    }
    ::close(In[0]);
    ::close(Out[1]);
    ::close(Err[1]);
    Stdin = In[1];
    Streams[0] = {Out[0], POLLIN, 0};
    Streams[1] = {Err[0], POLLIN, 0};
  }
  ~Subprocess() {
    closeStdin();
    if (!Ended) {
      ::kill(Pid, SIGKILL);
      ::waitpid(Pid, nullptr, 0);
    }
    for (pollfd &P : Streams)
      if (P.fd >= 0)
        ::close(P.fd);
  }

  /// Reads until Text has been printed to stdout (or stderr), or all has ended.
  bool awaitOutput(const std::string &Text) {
    return read([&] { return Output.find(Text) != Output.npos; });
  }
  bool awaitErrors(const std::string &Text) {
    return read([&] { return Errors.find(Text) != Errors.npos; });
  }
  void writeLine() {
    if (::write(Stdin, "\n", 1) != 1)
      ADD_FAILURE() << "write: " << std::strerror(errno);
  }
  void closeStdin() {
    if (Stdin >= 0)
      ::close(Stdin);
    Stdin = -1;
  }
  /// Reads all, waits; the status of waitpid(2).
  int wait() {
    read([] { return false; });
    int Status = 0;
    ::waitpid(Pid, &Status, 0);
    Ended = true;
    return Status;
  }

  pid_t Pid = -1;
  std::string Output;
  std::string Errors;

private:
  static std::vector<char *> pointers(const Strings &S) {
    std::vector<char *> Result;
    for (const std::string &Text : S)
      Result.push_back(const_cast<char *>(Text.c_str()));
    Result.push_back(nullptr);
    return Result;
  }

  template <typename F> bool read(F Enough) {
    char Buffer[4096];
    while (!Enough()) {
      if (Streams[0].fd < 0 && Streams[1].fd < 0)
        return false;
      ::poll(Streams, 2, -1);
      for (int I = 0; I < 2; ++I) {
        if (!Streams[I].revents)
          continue;
        ssize_t Size = ::read(Streams[I].fd, Buffer, sizeof(Buffer));
        if (Size <= 0) {
          ::close(Streams[I].fd);
          Streams[I].fd = -1;
          Streams[I].revents = 0;
        } else {
          (I == 0 ? Output : Errors).append(Buffer, Size);
        }
      }
    }
    return true;
  }

  int Stdin = -1;
  pollfd Streams[2];
  bool Ended = false;
};

} // namespace hotjit::test

#endif
