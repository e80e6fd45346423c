#include "provider/loop.hpp"

namespace mizan::provider {

void Loop::post(Task task) {
  {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  changed_.notify_one();
}

void Loop::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
}

void Loop::run(const std::function<std::chrono::milliseconds()>& due_in, const Task& on_due) {
  while (true) {
    const auto wait = due_in();
    Task task;
    {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, wait, [this] { return stopping_ || !tasks_.empty(); });
      if (stopping_) return;
      if (!tasks_.empty()) {
        task = std::move(tasks_.front());
        tasks_.pop_front();
      }
    }
    task ? task() : on_due();
  }
}

}  // namespace mizan::provider
