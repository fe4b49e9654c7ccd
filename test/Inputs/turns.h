// A thread that calls functions one after the other, when it is told to.
#ifndef TURNS_H
#define TURNS_H

#include <condition_variable>
#include <mutex>
#include <thread>

class Turns {
public:
  ~Turns() {
    call(nullptr);
    Thread.join();
  }
  /// What F returns in the thread; null ends it.
  int call(int (*F)()) {
    std::unique_lock<std::mutex> L(Lock);
    Next = F;
    IsTold = true;
    Changed.notify_all();
    Changed.wait(L, [&] { return !IsTold; });
    return Result;
  }

private:
  void serve() {
    std::unique_lock<std::mutex> L(Lock);
    for (bool Last = false; !Last; Changed.notify_all()) {
      Changed.wait(L, [&] { return IsTold; });
      Last = !Next;
      Result = Next ? Next() : 0;
      IsTold = false;
    }
  }

  std::mutex Lock;
  std::condition_variable Changed;
  int (*Next)() = nullptr;
  bool IsTold = false;
  int Result = 0;
  std::thread Thread{[this] { serve(); }};
};

#endif
