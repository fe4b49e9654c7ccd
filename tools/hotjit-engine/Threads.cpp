// The engine's threads talk by posting functions to each other's mailboxes,
// so that state has one owner and no lock is held while anything runs.

#include "Threads.h"
#include <sys/resource.h>
#include <unistd.h>

using namespace hotjit;

void Mailbox::post(std::function<void()> Message) {
  {
    std::lock_guard<std::mutex> Lock(M);
    if (Closed)
      return;
    Messages.push_back(std::move(Message));
  }
  Arrived.notify_one();
}

void Mailbox::close() {
  {
    std::lock_guard<std::mutex> Lock(M);
    Closed = true;
    Messages.clear();
  }
  Arrived.notify_all();
}

std::optional<std::function<void()>>
Mailbox::take(const Clock &C, std::optional<Nanoseconds> Deadline) {
  std::unique_lock<std::mutex> Lock(M);
  auto Ready = [&] { return Closed || !Messages.empty(); };
  if (!Deadline) {
    Arrived.wait(Lock, Ready);
  } else {
    Nanoseconds Now = C.now();
    if (*Deadline > Now)
      Arrived.wait_for(Lock, *Deadline - Now, Ready);
  }
  if (Closed)
    return std::nullopt;
  if (Messages.empty())
    return std::function<void()>();
  std::function<void()> Message = std::move(Messages.front());
  Messages.pop_front();
  return Message;
}

llvm::Expected<std::unique_ptr<Workers>>
Workers::start(const Clock &C, const char *Name, unsigned Count, int Nice) {
  std::unique_ptr<Workers> W(new Workers());
  for (unsigned I = 0; I != Count; ++I) {
    auto Work = [W = W.get(), &C, Nice] {
      // Linux has a priority for each thread: setpriority(2), "Bugs".
      if (Nice != 0)
        setpriority(PRIO_PROCESS, gettid(), Nice);
      while (std::optional<std::function<void()>> Job =
                 W->Jobs.take(C, std::nullopt))
        if (*Job)
          (*Job)();
    };
    llvm::Expected<Thread> T = Thread::start(Name, Work, StackSize::Deep);
    if (!T && I == 0)
      return T.takeError();
    if (!T) {
      llvm::consumeError(T.takeError());
      break;
    }
    W->Threads.push_back(std::move(*T));
  }
  return W;
}

Workers::~Workers() {
  Jobs.close();
  for (Thread &T : Threads)
    T.join();
}

void Workers::run(std::function<void()> Job) { Jobs.post(std::move(Job)); }
