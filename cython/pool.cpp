#include "pool.hpp"

#include <unistd.h>

#include <exception>

namespace nnpotential {

// The threads of one process, and the work they are on.
struct Pool::Crew {
  explicit Crew(size_t n_helpers) : process(getpid()) {
    for (size_t i = 0; i < n_helpers; ++i)
      helpers.emplace_back([this] { serve(); });
  }
  ~Crew() {
    {
      std::lock_guard<std::mutex> lock(mutex);
      stopping = true;
      round.fetch_add(1);
    }
    wake.notify_all();
    for (std::thread &helper : helpers) helper.join();
  }

  void run(size_t n, const std::function<void(size_t)> &f) {
    {
      std::lock_guard<std::mutex> lock(mutex);
      task = &f;
      n_tasks = n;
      next.store(0);
      failure = nullptr;
      open = true;
      round.fetch_add(1);
    }
    wake.notify_all();
    work();
    {
      // who has not come by now is not waited for: on a busy machine a helper
      // can take longer to wake than the work takes
      std::lock_guard<std::mutex> lock(mutex);
      open = false;
    }
    while (helping.load() > 0) std::this_thread::yield();
    if (failure) std::rethrow_exception(failure);
  }

  void work() {
    try {
      for (size_t i = next.fetch_add(1); i < n_tasks; i = next.fetch_add(1))
        (*task)(i);
    } catch (...) {
      std::lock_guard<std::mutex> lock(mutex);
      failure = std::current_exception();
      next.store(n_tasks);
    }
  }

  void serve() {
    size_t seen = 0;
    while (true) {
      // calls come in quick succession: look for a while before sleeping
      for (int i = 0; i < 20000 && round.load() == seen; ++i)
        if (i % 64 == 63) std::this_thread::yield();
      if (round.load() == seen) {
        std::unique_lock<std::mutex> lock(mutex);
        wake.wait(lock, [&] { return round.load() != seen; });
      }
      {
        std::lock_guard<std::mutex> lock(mutex);
        seen = round.load();
        if (stopping) return;
        if (!open) continue;
        helping.fetch_add(1);
      }
      work();
      helping.fetch_sub(1);
    }
  }

  const pid_t process;
  std::vector<std::thread> helpers;
  std::mutex mutex;
  std::condition_variable wake;
  std::atomic<size_t> round{0}, next{0}, helping{0};
  const std::function<void(size_t)> *task = nullptr;
  size_t n_tasks = 0;
  std::exception_ptr failure;
  bool open = false, stopping = false;
};

Pool::Pool(size_t n_threads) : n_threads_(n_threads) {}

Pool::~Pool() {
  // threads of another process cannot be joined; their memory is let go
  if (crew_ && crew_->process == getpid()) delete crew_;
}

void Pool::run(size_t n_tasks, const std::function<void(size_t)> &task) {
  std::unique_lock<std::mutex> lock(busy_, std::try_to_lock);
  if (n_threads_ < 2 || n_tasks < 2 || !lock.owns_lock()) {
    for (size_t i = 0; i < n_tasks; ++i) task(i);
    return;
  }
  if (!crew_ || crew_->process != getpid()) crew_ = new Crew(n_threads_ - 1);
  crew_->run(n_tasks, task);
}

}  // namespace nnpotential
