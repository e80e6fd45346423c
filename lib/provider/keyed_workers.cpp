#include "provider/keyed_workers.hpp"

namespace mizan::provider {

KeyedWorkers::KeyedWorkers(size_t threads) {
  for (size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
}

KeyedWorkers::~KeyedWorkers() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void KeyedWorkers::post(const LeaseId& key, std::function<void()> task) {
  {
    const std::lock_guard lock(mutex_);
    auto& queue = queues_[key];
    queue.push_back(std::move(task));
    if (queue.size() > 1) return;  // its turn comes when the one before is done
    ready_.push_back(key);
  }
  changed_.notify_one();
}

void KeyedWorkers::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || !ready_.empty(); });
    if (stopping_) return;
    const LeaseId key = ready_.front();
    ready_.pop_front();
    const std::function<void()> task = std::move(queues_[key].front());
    lock.unlock();
    task();
    lock.lock();
    auto& queue = queues_[key];
    queue.pop_front();
    if (queue.empty()) {
      queues_.erase(key);
    } else {
      ready_.push_back(key);
      changed_.notify_one();
    }
  }
}

}  // namespace mizan::provider
