// Threads that wait for small pieces of work.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace nnpotential {

// Runs numbered tasks on this thread and on up to n - 1 others. Which thread
// takes which task is left open, so results must not depend on it. Threads
// start with the first call; a forked child, which has none of them, starts its
// own. A call that finds the pool busy does all of its work itself, so that
// nested and concurrent calls never use more threads than were asked for.
class Pool {
 public:
  explicit Pool(size_t n_threads);
  ~Pool();
  Pool(const Pool &) = delete;
  Pool &operator=(const Pool &) = delete;

  size_t n_threads() const { return n_threads_; }
  void run(size_t n_tasks, const std::function<void(size_t)> &task);

 private:
  struct Crew;
  size_t n_threads_;
  std::mutex busy_;
  Crew *crew_ = nullptr;
};

}  // namespace nnpotential
